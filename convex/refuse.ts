import { ConvexError } from 'convex/values';

export type RefusalCode =
  | 'unauthenticated'
  | 'forbidden'
  | 'thread_unknown'
  | 'thread_unidentified'
  | 'message_unknown'
  | 'run_unknown'
  | 'run_begun'
  | 'receipt_reused'
  | 'approval_unknown'
  | 'title_empty'
  | 'text_empty'
  | 'text_too_long'
  | 'batch_too_large';

/** Ends the transaction with a code that callers can act on; it reaches them also in production. */
export function refuse(code: RefusalCode, message: string): never {
  throw new ConvexError({ code, message });
}
