import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeTimestamp, encodeTimestamp } from '../../../src/embedded-convex/timestamp.ts';
import { adminKey, startBackend } from '../support/backend.ts';
import type { Backend } from '../support/backend.ts';
import { add, connect, modify, mutation, rawClient } from '../support/raw-client.ts';
import type { ServerMessage } from '../support/raw-client.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await startBackend();
});
afterAll(() => backend[Symbol.asyncDispose]());

const none = { querySet: 0, identity: 0, ts: encodeTimestamp(0n) };

test('an empty query set is answered, and every transition starts where the last one ended', async () => {
  using client = await rawClient(backend.url);
  client.send(connect(), modify(0));
  const first = await client.next();
  expect(first).toMatchObject({ type: 'Transition', startVersion: none, modifications: [] });
  expect(first['endVersion']).toMatchObject({ querySet: 1, identity: 0 });
  client.send(modify(1, add(7, 'count', { room: 'versions' })));
  const second = await client.next();
  expect(second['startVersion']).toEqual(first['endVersion']);
  expect(second['modifications']).toEqual([
    { type: 'QueryUpdated', queryId: 7, value: 0, logLines: [], journal: null },
  ]);
});

test('a removed query is taken back, and its id can be used again', async () => {
  using client = await rawClient(backend.url);
  client.send(connect(), modify(0, add(0, 'count', { room: 'ids' })));
  await client.next('Transition');
  client.send(modify(1, { type: 'Remove', queryId: 0 }));
  expect((await client.next('Transition'))['modifications']).toEqual([
    { type: 'QueryRemoved', queryId: 0 },
  ]);
  client.send(modify(2, add(0, 'list', { room: 'ids' })));
  expect((await client.next('Transition'))['modifications']).toMatchObject([
    { type: 'QueryUpdated', queryId: 0, value: [] },
  ]);
  client.send(modify(3, { type: 'Remove', queryId: 0 }, add(0, 'count', { room: 'ids' })));
  expect((await client.next('Transition'))['modifications']).toMatchObject([
    { type: 'QueryUpdated', queryId: 0, value: 0 },
  ]);
});

test('the response to a mutation comes before the transition that shows it', async () => {
  using client = await rawClient(backend.url);
  client.send(connect({ sessionId: 'order' }), modify(0, add(0, 'count', { room: 'order' })));
  await client.next('Transition');
  for (let requestId = 0; requestId < 20; requestId++) {
    client.send(mutation(requestId, 'send', { room: 'order', body: 'x' }));
    expect(await client.nextChanges()).toMatchObject([{ value: requestId + 1 }]);
  }
  for (const [at, response] of client.messages.entries()) {
    if (response.type !== 'MutationResponse') continue;
    const shown = client.messages.findIndex((message) => reaches(message, response['ts']));
    expect(shown).toBeGreaterThan(at);
  }
  expect(client.messages.filter(({ type }) => type === 'MutationResponse')).toHaveLength(20);
});

test('every mutation is followed by a transition that reaches it, whatever it changed', async () => {
  using client = await rawClient(backend.url);
  client.send(connect({ sessionId: 'followed' }), modify(0));
  await client.next('Transition');
  for (let requestId = 0; requestId < 20; requestId++) {
    client.send(mutation(requestId, 'nothing', {}));
    const { ts } = await client.next('MutationResponse');
    while (!reaches(await client.next('Transition'), ts));
  }
});

test('a mutation that is sent again on a new connection runs once and gives the same answer', async () => {
  const sent = mutation(0, 'send', { room: 'twice', body: 'once' });
  const session = { sessionId: 'resend' };
  using lost = await rawClient(backend.url);
  lost.send(connect(session), modify(0), sent);
  const answered = await lost.next('MutationResponse');
  lost.socket.terminate();
  using client = await rawClient(backend.url);
  client.send(connect(session), modify(0, add(0, 'list', { room: 'twice' })), sent);
  const again = await client.next('MutationResponse');
  expect(again).toEqual(answered);
  expect(await client.nextChanges()).toMatchObject([{ queryId: 0, value: ['once'] }]);
  while (
    !reaches(
      client.messages.findLast(({ type }) => type === 'Transition'),
      again['ts'],
    )
  ) {
    await client.next('Transition');
  }
});

test('a client that comes back is answered what it sends again before it is shown what that did', async () => {
  const sent = [0, 1, 2].map((id) => mutation(id, 'send', { room: 'back', body: `m${id}` }));
  const session = { sessionId: 'back' };
  using lost = await rawClient(backend.url);
  lost.send(connect(session), modify(0), ...sent);
  while ((await lost.next('MutationResponse'))['requestId'] !== 2);
  lost.socket.terminate();
  using client = await rawClient(backend.url);
  // In one piece, as they come from a client that opens its connection.
  client.socket.pause();
  client.send(connect({ ...session, connectionCount: 1 }));
  client.send(modify(0, add(0, 'list', { room: 'back' })), ...sent);
  client.socket.resume();
  expect(await client.nextChanges()).toMatchObject([{ value: ['m0', 'm1', 'm2'] }]);
  const [first, second, third, shown] = client.messages.map(({ type }) => type);
  expect([first, second, third]).toEqual(Array.from(sent, () => 'MutationResponse'));
  expect(shown).toBe('Transition');
});

test('a mutation whose connection is cut before the answer is not run twice either', async () => {
  const sent = mutation(3, 'send', { room: 'cut', body: 'once' });
  const session = { sessionId: 'cut' };
  for (let attempt = 0; attempt < 10; attempt++) {
    using lost = await rawClient(backend.url);
    lost.send(connect(session), sent);
    // The frames are on their way; the answer may be, too.
    lost.socket.close();
    await lost.closed;
  }
  using client = await rawClient(backend.url);
  client.send(connect(session), sent);
  expect(await client.next('MutationResponse')).toMatchObject({ success: true });
  client.send(modify(0, add(0, 'list', { room: 'cut' })));
  expect(await client.nextChanges()).toMatchObject([{ value: ['once'] }]);
});

test('without Connect there is no session to recognise a mutation by: it runs each time', async () => {
  for (let attempt = 0; attempt < 2; attempt++) {
    using client = await rawClient(backend.url);
    client.send(mutation(0, 'send', { room: 'no session', body: 'x' }));
    await client.next('MutationResponse');
  }
  using client = await rawClient(backend.url);
  client.send(modify(0, add(0, 'count', { room: 'no session' })));
  expect(await client.next('Transition')).toMatchObject({ modifications: [{ value: 2 }] });
});

test('mutations of one connection run in their order', async () => {
  using client = await rawClient(backend.url);
  client.send(connect({ sessionId: 'sequence' }));
  const bodies = Array.from({ length: 100 }, (_, number) => String(number));
  client.send(...bodies.map((body, id) => mutation(id, 'send', { room: 'sequence', body })));
  for (const id of bodies.keys()) {
    expect(await client.next('MutationResponse')).toMatchObject({ requestId: id });
  }
  client.send(modify(0, add(0, 'list', { room: 'sequence' })));
  expect(await client.nextChanges()).toMatchObject([{ value: bodies }]);
});

test('a failed mutation has its message, no timestamp, and data only for a ConvexError', async () => {
  using client = await rawClient(backend.url);
  client.send(connect(), mutation(0, 'sendAndFail', { room: 'fails' }));
  const failed = await client.next('MutationResponse');
  expect(failed).toMatchObject({ success: false, errorData: 'changed my mind' });
  expect(failed).not.toHaveProperty('ts');
  client.send(mutation(1, 'notThere', {}));
  const missing = await client.next('MutationResponse');
  expect(missing['result']).toMatch(/Could not find public function for 'rooms:notThere'/);
  expect(missing).not.toHaveProperty('errorData');
});

test('a client that has seen a later timestamp than ours is turned away as by a broken server', async () => {
  using client = await rawClient(backend.url);
  const future = backend.executor.latestTs + 10n ** 18n;
  client.send(connect({ maxObservedTimestamp: encodeTimestamp(future) }));
  expect(await client.closed).toEqual({ code: 1011, reason: 'InternalServerError' });
  using present = await rawClient(backend.url);
  const now = encodeTimestamp(backend.executor.latestTs);
  present.send(connect({ maxObservedTimestamp: now }), modify(0));
  await present.next('Transition');
});

test('more mutations than a connection may have waiting are read as there is room, and all answered', async () => {
  using client = await rawClient(backend.url);
  // Failures: what commits takes the disk's time.
  const many = Array.from({ length: 1100 }, (_, id) => mutation(id, 'missing', {}));
  client.send(connect({ sessionId: 'flood' }), modify(0), ...many);
  for (const { requestId } of many) {
    expect(await client.next('MutationResponse')).toMatchObject({ requestId, success: false });
  }
});

test('the clock of the client is compared, and the time of sending given in nanoseconds', async () => {
  using client = await rawClient(backend.url);
  client.send(connect({ clientTs: Date.now() + 60_000 }), modify(0));
  const transition = await client.next('Transition');
  expect(transition['clientClockSkew']).toBeGreaterThan(50_000);
  expect(Number(transition['serverTs']) / 1e6).toBeCloseTo(Date.now(), -4);
  using silent = await rawClient(backend.url);
  silent.send(connect({ clientTs: undefined }), modify(0));
  const bare = await silent.next('Transition');
  expect(Object.keys(bare)).not.toContain('serverTs');
  expect(Object.keys(bare)).not.toContain('clientClockSkew');
});

test('clients that do not know parts get a large transition in one piece', async () => {
  using old = await rawClient(backend.url, { version: '1.27.5' });
  using unnamed = await rawClient(backend.url, { version: '' });
  using current = await rawClient(backend.url);
  for (const client of [old, unnamed, current]) {
    client.send(connect(), modify(0, add(0, 'large', { length: 3_000_000 })));
  }
  expect((await old.next()).type).toBe('Transition');
  expect((await unnamed.next()).type).toBe('Transition');
  expect(await current.next()).toMatchObject({
    type: 'TransitionChunk',
    partNumber: 0,
    totalParts: 2,
  });
});

test('arguments of very many levels fail their function, and nothing else', async () => {
  const text = `{"value":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
  using client = await rawClient(backend.url);
  const query = JSON.stringify(modify(0, add(0, 'echo', {})));
  const call = JSON.stringify(mutation(0, 'nothing', {}));
  client.send(query.replace('[{}]', `[${text}]`), call.replace('[{}]', `[${text}]`));
  expect(await client.nextChanges()).toMatchObject([
    { type: 'QueryFailed', errorMessage: expect.stringContaining('arguments for rooms:echo') },
  ]);
  expect(await client.next('MutationResponse')).toMatchObject({ success: false });
});

test('an admin may call internal functions, and act as somebody', async () => {
  using client = await rawClient(backend.url);
  const authenticate = {
    type: 'Authenticate',
    baseVersion: 0,
    tokenType: 'Admin',
    value: adminKey,
    impersonating: { issuer: 'https://issuer.example', subject: 'ann' },
  };
  client.send(connect(), authenticate, modify(0, add(0, 'secret', {}), add(1, 'whoami', {})));
  const transition = await client.next('Transition');
  expect(transition['endVersion']).toMatchObject({ identity: 1, querySet: 1 });
  expect(transition['modifications']).toMatchObject([{ value: 'internal' }, { value: 'ann' }]);
});

test('a wrong admin key is an AuthError that names the version in force', async () => {
  using client = await rawClient(backend.url);
  client.send(connect(), {
    type: 'Authenticate',
    baseVersion: 0,
    tokenType: 'Admin',
    value: 'embedded|wrong',
  });
  expect(await client.next()).toMatchObject({
    type: 'AuthError',
    baseVersion: 0,
    authUpdateAttempted: true,
  });
  await client.closed;
});

test('long arguments that are no JSON fail their mutation, and nothing after it', async () => {
  using client = await rawClient(backend.url);
  const words = 'word '.repeat(10_000);
  const call = (requestId: number, args: string) =>
    `{"type":"Mutation","requestId":${requestId},"udfPath":"rooms:send","args":[{"room":"long",${args}}]}`;
  client.send(call(0, `"body":"${words}","body":`), call(1, `"body":"${words}"`));
  const failed = await client.next('MutationResponse');
  expect(failed).toMatchObject({ requestId: 0, success: false });
  expect(failed['result']).toMatch(/Invalid arguments for rooms:send/);
  expect(await client.next('MutationResponse')).toMatchObject({ requestId: 1, success: true });
});

describe('what a client may not do ends its connection with a FatalError that says why', () => {
  const cases: Array<[string, Array<object | string>, RegExp]> = [
    ['no JSON', ['nonsense{'], /not JSON/],
    ['an array', ['[]'], /not an object/],
    ['null', ['null'], /not an object/],
    ['no type', [{}], /unknown type undefined/],
    ['an unknown type', [{ type: 'Query' }], /unknown type "Query"/],
    ['Connect without a session', [{ type: 'Connect' }], /"sessionId" is not a string/],
    ['a broken timestamp', [connect({ maxObservedTimestamp: 'AAA=' })], /"maxObservedTimestamp"/],
    ['no versions', [{ type: 'ModifyQuerySet' }], /"baseVersion" is not an unsigned/],
    ['a negative version', [modify(-1)], /"baseVersion" is not an unsigned/],
    ['a fraction', [modify(0.5)], /"baseVersion" is not an unsigned/],
    ['modifications that are none', [{ ...modify(0), modifications: {} }], /not an array/],
    ['an unknown modification', [modify(0, { type: 'Swap', queryId: 1 })], /"Swap"/],
    ['args that are no array', [modify(0, { ...add(0, 'list', {}), args: {} })], /not an array/],
    ['args with no object', [modify(0, { ...add(0, 'list', {}), args: [1] })], /not an object/],
    ['two arguments', [modify(0, { ...add(0, 'list', {}), args: [{}, {}] })], /more than one/],
    ['a version not in force', [modify(3)], /BaseVersionMismatch.*3.*0/],
    ['a version that goes back', [{ ...modify(0), newVersion: 0 }], /InvalidVersion/],
    ['the same query twice', [modify(0, add(1, 'list', {}), add(1, 'list', {}))], /DuplicateQuery/],
    ['removing what is not there', [modify(0, { type: 'Remove', queryId: 9 })], /NonexistentQuery/],
    ['a component', [modify(0, add(0, 'list', {}, { componentPath: 'a/b' }))], /no components/],
    ['a token of no kind', [{ type: 'Authenticate', baseVersion: 0 }], /unknown tokenType/],
    [
      'an identity version not in force',
      [{ type: 'Authenticate', baseVersion: 4, tokenType: 'None' }],
      /BaseVersionMismatch/,
    ],
    ['a mutation without id', [{ type: 'Mutation', udfPath: 'a:b', args: [{}] }], /"requestId"/],
  ];
  test.each(cases)('%s', async (_, messages, error) => {
    using client = await rawClient(backend.url);
    client.send(...messages);
    const fatal = await client.next();
    expect(fatal.type).toBe('FatalError');
    expect(fatal['error']).toMatch(error);
    await client.closed;
  });

  test('a binary frame is refused by its close code', async () => {
    using client = await rawClient(backend.url);
    client.socket.send(Buffer.from([1, 2, 3]));
    expect((await client.closed).code).toBe(1003);
  });

  test('a frame beyond the limit is refused by its close code, and the server goes on', async () => {
    using client = await rawClient(backend.url);
    client.socket.send(' '.repeat(33 * 1024 * 1024));
    expect((await client.closed).code).toBe(1009);
    using other = await rawClient(backend.url);
    other.send(connect(), modify(0));
    await other.next('Transition');
  });

  test('an Event is taken and not answered', async () => {
    using client = await rawClient(backend.url);
    client.send({ type: 'Event', eventType: 'ClientConnect', event: { any: 1 } }, modify(0));
    expect((await client.next()).type).toBe('Transition');
  });
});

test('a WebSocket elsewhere is refused before the upgrade', async () => {
  await expect(rawClient(backend.url, { version: 'a/b' })).rejects.toThrow('404');
});

test('none of what clients did wrong here was a failure of the server', () => {
  const unexpected = backend.failures.filter((failure) => !String(failure).includes('has seen'));
  expect(unexpected).toEqual([]);
});

function timestamp(text: unknown): bigint {
  const ts = typeof text === 'string' ? decodeTimestamp(text) : null;
  if (ts === null) throw new Error(`no timestamp: ${String(text)}`);
  return ts;
}

function reaches(message: ServerMessage | undefined, ts: unknown): boolean {
  if (message?.type !== 'Transition') return false;
  return timestamp((message['endVersion'] as { ts: unknown }).ts) >= timestamp(ts);
}
