import { bridgeMutation, clientMutation, readerQuery } from './register.ts';
import * as mutations from './runs/mutations.ts';
import * as queries from './runs/queries.ts';

export const listForThread = readerQuery(queries.listForThread);
export const active = readerQuery(queries.active);
export const enqueue = clientMutation(mutations.enqueue);
export const lease = bridgeMutation(mutations.lease);
export const complete = bridgeMutation(mutations.complete);
export const fail = bridgeMutation(mutations.fail);
export const interrupt = bridgeMutation(mutations.interrupt);
