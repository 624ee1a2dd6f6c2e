import { bridgeMutation, clientMutation, readerQuery } from './register.ts';
import * as mutations from './threads/mutations.ts';
import * as queries from './threads/queries.ts';

export const list = readerQuery(queries.list);
export const listWithCounts = readerQuery(queries.listWithCounts);
export const byId = readerQuery(queries.byId);
export const create = clientMutation(mutations.create);
export const rename = clientMutation(mutations.rename);
export const upsertFromStream = bridgeMutation(mutations.upsertFromStream);
