import { createHash } from 'node:crypto';
import type { QueryResult } from '../executor.ts';
import { encodeErrorData } from './server-message.ts';

/** What the client of one query is told when its result is another than before. */
export function encodeQueryModification(queryId: number, result: QueryResult): string {
  const type = result.outcome.ok ? 'QueryUpdated' : 'QueryFailed';
  return `{"type":"${type}","queryId":${queryId},${prepared(result).content}}`;
}

export function encodeQueryRemoved(queryId: number): string {
  return `{"type":"QueryRemoved","queryId":${queryId}}`;
}

/** Equal for results that look the same to the client; it need not hear of them again. */
export function resultFingerprint(result: QueryResult): string {
  return prepared(result).fingerprint;
}

/** A result goes to all who are subscribed to it, so its encoding is made once. */
const preparedResults = new WeakMap<QueryResult, { content: string; fingerprint: string }>();

function prepared(result: QueryResult): { content: string; fingerprint: string } {
  let known = preparedResults.get(result);
  if (known === undefined) {
    known = prepare(result);
    preparedResults.set(result, known);
  }
  return known;
}

function prepare(result: QueryResult): { content: string; fingerprint: string } {
  const { outcome, journal } = result;
  const logLines = JSON.stringify(result.logLines);
  const shown = outcome.ok
    ? `"value":${outcome.value}`
    : `"errorMessage":${JSON.stringify(outcome.errorMessage)}${encodeErrorData(outcome)}`;
  // Each failure has a request id of its own, and is the same failure all the same.
  const compared = shown.replace(/^"errorMessage":"\[Request ID: [^\]]*\]/, '"errorMessage":"');
  return {
    content: `${shown},"logLines":${logLines},"journal":${JSON.stringify(journal)}`,
    fingerprint: createHash('sha1').update(compared).update(logLines).digest('base64'),
  };
}
