import { ConvexClient } from 'convex/browser';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { api, startBackend } from './support/backend.ts';
import { spawnBackend } from './support/backend-process.ts';
import { watch } from './support/values-seen.ts';

test('what a scheduled mutation writes shows up live, and so does the state of its job', async () => {
  await using backend = await startBackend();
  const client = backend.client();
  const list = watch(client, api.rooms.list, { room: 'later' });
  const states = watch(client, api.rooms.jobStates, {});
  await states.until(() => true);
  await client.mutation(api.rooms.sendLater, { room: 'later', body: 'hello', ms: 100 });
  await list.until((bodies) => listed(bodies).includes('hello'));
  await states.until((all) => listed(all).includes('success'));
  // Never in progress: the mutation and the end of its job are one commit.
  expect(states.values.flat()).not.toContain('inProgress');
});

test('kill -9 in the middle of many jobs: mutations run once, actions at most once', async () => {
  using folder = temporaryFolder();
  const bodies = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));
  const acknowledged: string[] = [];
  await using first = spawnBackend(folder.path);
  const client = connect((await first.ready).url);
  const seen = watch(client, api.rooms.list, { room: 'r' });
  for (const body of bodies) {
    const send = client.mutation(api.rooms.sendLaterTwice, { room: 'r', body });
    void send.then(() => acknowledged.push(body));
  }
  await seen.until((list) => listed(list).length >= bodies.length / 2);
  first.kill('SIGKILL');
  await first.exited;
  await client.close();

  await using second = spawnBackend(folder.path);
  const after = connect((await second.ready).url);
  const states = watch(after, api.rooms.jobStates, {});
  const ended = await states.until((all) => listed(all).every((state) => isEnd.test(state)));
  const list = await after.query(api.rooms.list, { room: 'r' });
  expect(list).toHaveLength(new Set(list).size);
  const byMutation = list.filter((body) => !body.endsWith('by action'));
  // Two jobs of each mutation that was committed, and of those one is a mutation.
  expect(byMutation).toHaveLength(listed(ended).length / 2);
  expect(byMutation).toEqual(expect.arrayContaining(acknowledged));
}, 30_000);

const isEnd = /^(?:success|failed)$/;

function listed(value: string[] | Error): string[] {
  if (value instanceof Error) throw value;
  return value;
}

function connect(url: string): ConvexClient {
  const client = new ConvexClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
  onTestFinished(() => client.close());
  return client;
}
