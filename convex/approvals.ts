import * as mutations from './approvals/mutations.ts';
import * as queries from './approvals/queries.ts';
import { bridgeMutation, clientMutation, readerQuery } from './register.ts';

export const open = readerQuery(queries.open);
export const listForThread = readerQuery(queries.listForThread);
export const answer = clientMutation(mutations.answer);
export const record = bridgeMutation(mutations.record);
