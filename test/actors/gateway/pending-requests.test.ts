import { afterEach, expect, test } from 'vitest';
import { PendingRequests } from '../../../src/actors/gateway/pending-requests.ts';

const pending: PendingRequests[] = [];

function life(): PendingRequests {
  const requests = new PendingRequests();
  pending.push(requests);
  return requests;
}

afterEach(() => {
  for (const requests of pending.splice(0)) requests.drop();
});

test('an answer to a request of an earlier life reaches nobody', () => {
  const frames: string[] = [];
  const client = { send: (frame: string) => frames.push(frame) };
  const earlier = life().open(client, 'mine');
  const requests = life();
  const later = requests.open(client, 'yours');
  requests.reply(earlier, { type: 'bridge.runs', items: [] });
  expect(frames).toEqual([]);
  requests.reply(later, { type: 'bridge.runs', items: [] });
  expect(frames).toEqual(['{"type":"bridge.runs","items":[],"replyTo":"yours"}']);
});
