/** Frames and requests that no client of ours would send, but that may come all the same. */
import * as fc from 'fast-check';

/** Parts of what is valid, so that nonsense gets past the first check as well. */
const udfPath = fc.oneof(
  fc.constantFrom(
    'rooms:list',
    'rooms:send',
    'rooms:secret',
    'rooms',
    'a/b:c',
    '',
    ':',
    '_system/cli/tables',
  ),
  fc.string(),
);
const args = fc.oneof(
  fc.constant([{ room: 'fuzz', body: 'x' }]),
  fc.array(fc.jsonValue(), { maxLength: 3 }),
  fc.jsonValue(),
  fc.constant([{ value: { $integer: 'AQ==' } }]),
  fc.constant([{ value: { $unknown: 1, $bytes: 3 } }]),
);
const count = fc.oneof(
  fc.nat(4),
  fc.constantFrom(-1, 1.5, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, '1', null),
);
const timestamp = fc.constantFrom('AAAAAAAAAAA=', '/////////38=', '', 'x', 7, null);

const message = fc.oneof(
  fc.record({
    type: fc.constant('Connect'),
    sessionId: fc.oneof(fc.uuid(), fc.string(), fc.constant(null)),
    connectionCount: count,
    lastCloseReason: fc.option(fc.string()),
    maxObservedTimestamp: timestamp,
    clientTs: fc.oneof(fc.double(), fc.string()),
  }),
  fc.record({
    type: fc.constant('Authenticate'),
    baseVersion: count,
    tokenType: fc.constantFrom('User', 'Admin', 'None', 'Other', 3),
    value: fc.oneof(fc.string(), fc.constantFrom('e30.e30.e30', 'embedded|0', null)),
    impersonating: fc.jsonValue(),
  }),
  fc.record({
    type: fc.constant('ModifyQuerySet'),
    baseVersion: count,
    newVersion: count,
    modifications: fc.oneof(
      fc.array(
        fc.record(
          {
            type: fc.constantFrom('Add', 'Remove', 'Change'),
            queryId: count,
            udfPath,
            args,
            journal: fc.oneof(fc.constant(null), fc.string(), fc.jsonValue()),
            componentPath: fc.constantFrom('', 'other', 4, null),
          },
          { requiredKeys: ['type'] },
        ),
        { maxLength: 4 },
      ),
      fc.jsonValue(),
    ),
  }),
  fc.record({ type: fc.constantFrom('Mutation', 'Action'), requestId: count, udfPath, args }),
  fc.record({ type: fc.string() }),
);

/** Text, or bytes for a binary frame. */
export const frame: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  { weight: 8, arbitrary: message.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.json() },
  { weight: 2, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('[', '{}', 'null', '['.repeat(20_000), '{"type":"Event"}'),
  },
);

export interface HostileRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array;
}

const route = fc.constantFrom(
  '/api/query',
  '/api/mutation',
  '/api/action',
  '/api/function',
  '/api/query_ts',
  '/api/query_at_ts',
  '/api/query_batch',
  '/api/run/rooms/list',
  '/api/run/%2e%2e/%00',
  '/api/table_counts',
  '/api/deploy2/start_push',
  '/version',
  '/api/sync',
  '/',
  '//',
);

export const request: fc.Arbitrary<HostileRequest> = fc.record({
  method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PUT', 'OPTIONS', 'DELETE', 'HEAD'),
  path: fc.oneof(
    route,
    fc.webPath(),
    fc.tuple(route, fc.webQueryParameters()).map(([path, query]) => `${path}?${query}`),
    fc.json().map((text) => `/api/query?path=rooms:list&args=${encodeURIComponent(text)}`),
  ),
  headers: fc.record(
    {
      authorization: fc.constantFrom('Bearer x', 'Bearer a.b.c', 'Convex x', 'Convex |:', 'x', ''),
      'content-type': fc.constantFrom('application/json', 'text/plain', 'multipart/form-data'),
      'content-encoding': fc.constantFrom('gzip', 'identity'),
      origin: fc.constantFrom('null', 'http://localhost:1', 'https://evil.example', '%%%'),
      host: fc.constantFrom('localhost', 'evil.example', '[::1]', '127.0.0.1:99999', ''),
    },
    { requiredKeys: [] },
  ),
  body: fc.oneof(
    fc
      .record(
        {
          path: udfPath,
          args,
          format: fc.constantFrom('json', 'convex_encoded_json', 'xml', 3, null),
          ts: timestamp,
          queries: fc.oneof(
            fc.array(fc.record({ path: udfPath, args }), { maxLength: 3 }),
            fc.jsonValue(),
          ),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 64 }),
  ),
});

/** What is not even HTTP. */
export const bytes: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'GET / HTTP/1.1\r\n\r\n',
    'POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
    'POST /api/query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'GET /api/sync HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
    'GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET /api/1.48.0/sync HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\u00ff\u00ff\u00ff',
  ),
);
