import { bridgeMutation, clientMutation, readerQuery } from './register.ts';
import * as mutations from './runs/mutations.ts';
import * as queries from './runs/queries.ts';

export const listForThread = readerQuery(queries.listForThread);
export const active = readerQuery(queries.active);
export const byId = readerQuery(queries.byId);
export const recent = readerQuery(queries.recent);
export const enqueue = clientMutation(mutations.enqueue);
export const edit = clientMutation(mutations.edit);
export const cancel = clientMutation(mutations.cancel);
export const progress = bridgeMutation(mutations.progress);
export const lease = bridgeMutation(mutations.lease);
export const complete = bridgeMutation(mutations.complete);
export const fail = bridgeMutation(mutations.fail);
export const interrupt = bridgeMutation(mutations.interrupt);
