import * as mutations from './projects/mutations.ts';
import * as queries from './projects/queries.ts';
import { bridgeMutation, readerQuery } from './register.ts';

export const list = readerQuery(queries.list);
export const byId = readerQuery(queries.byId);
export const forMachine = readerQuery(queries.forMachine);
export const upsertFromFs = bridgeMutation(mutations.upsertFromFs);
export const remove = bridgeMutation(mutations.remove);
