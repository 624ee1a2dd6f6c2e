import * as queries from './cursors/queries.ts';
import { readerQuery } from './register.ts';

export const forMachine = readerQuery(queries.forMachine);
export const byPath = readerQuery(queries.byPath);
