import { bridgeMutation, readerQuery } from './register.ts';
import * as mutations from './skills/mutations.ts';
import * as queries from './skills/queries.ts';

export const listAll = readerQuery(queries.listAll);
export const listByScope = readerQuery(queries.listByScope);
export const forMachine = readerQuery(queries.forMachine);
export const upsertFromFs = bridgeMutation(mutations.upsertFromFs);
export const bulkUpsertFromFs = bridgeMutation(mutations.bulkUpsertFromFs);
export const removeByScope = bridgeMutation(mutations.removeByScope);
