import * as mutations from './messages/mutations.ts';
import * as queries from './messages/queries.ts';
import { bridgeMutation, internalMutation, readerQuery } from './register.ts';
import * as reverts from './messages/reverts.ts';

export const forThread = readerQuery(queries.forThread);
export const inKeyOrder = readerQuery(queries.inKeyOrder);
export const byId = readerQuery(queries.byId);
export const countForThread = readerQuery(queries.countForThread);
export const search = readerQuery(queries.search);
export const provisional = readerQuery(queries.provisional);
export const ingest = bridgeMutation(mutations.ingest);
export const repair = bridgeMutation(mutations.repair);
export const create = bridgeMutation(mutations.create);
export const upsertStreamed = bridgeMutation(mutations.upsertStreamed);
export const finalizeStreamed = bridgeMutation(mutations.finalizeStreamed);
export const applyRevert = internalMutation(reverts.apply);
