/** The daemon's own client before backends that take its tokens, or do not. */
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { api } from '../../../convex/_generated/api.js';
import { checkFunctions } from '../../../src/actors/convex/check-functions.ts';
import { ConvexConnection } from '../../../src/actors/convex/connection.ts';
import { startServer, type RunningServer } from '../../../src/embedded-convex/server.ts';
import { openExecutor } from '../../../src/embedded-convex/worker-executor.ts';
import { openTokenSigner, type TokenSigner } from '../../../src/token-signer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

const functions = { folder: resolve(import.meta.dirname, '../../../convex') };
const thread = { machineId: 'm', thread: { resumeId: 'r', source: 'external' as const } };

let folder: ReturnType<typeof temporaryFolder>;
let own: TokenSigner;
let other: TokenSigner;
let logged: string[];
let connection: ConvexConnection;
let servers: RunningServer[];

beforeEach(() => {
  folder = temporaryFolder();
  own = openTokenSigner(join(folder.path, 'own'));
  other = openTokenSigner(join(folder.path, 'other'));
  logged = [];
  servers = [];
  connection = new ConvexConnection({
    token: async () => (await own.sign('bridge')).token,
    log: (_level, message) => logged.push(message),
  });
});
afterEach(async () => {
  await connection.close();
  for (const server of servers) await server.close();
  folder[Symbol.dispose]();
});

/** A backend that takes the tokens of this signer. */
async function serve(name: string, signer: TokenSigner, port = 0): Promise<RunningServer> {
  const databasePath = join(folder.path, `${name}.sqlite`);
  const executor = await openExecutor({ databasePath, functions, env: signer.environment });
  const server = await startServer({ executor, adminKey: 'test|key', port });
  const running: RunningServer = {
    ...server,
    close: async () => {
      await server.close();
      await executor.close();
    },
  };
  servers.push(running);
  return running;
}

test('the functions answer a bridge whose key the backend knows, and it may write', async () => {
  connection.open((await serve('a', own)).url);
  await checkFunctions(connection);
  expect(connection.isRefused).toBe(false);
  await connection.mutation(api.threads.upsertFromStream, thread);
});

test('a backend that does not know the key is told as a matter of its settings, with what to do', async () => {
  connection.open((await serve('a', other)).url);
  await expect(checkFunctions(connection)).rejects.toMatchObject({
    code: 'convex_misconfigured',
    message: expect.stringContaining('"oa-bridge token --jwks"'),
  });
  expect(connection.isRefused).toBe(true);
  expect(logged.join('\n')).toContain('does this key match');

  // Once it is set right there, the next try gets in.
  connection.open((await serve('b', own)).url);
  await checkFunctions(connection);
  expect(connection.isRefused).toBe(false);
});

test('a backend that forgets the key costs no write: what waits is retryable, and nothing runs as nobody', async () => {
  const before = await serve('a', own);
  connection.open(before.url);
  await checkFunctions(connection);
  await before.close();
  servers = [];
  await serve('a', other, before.port);
  const written = connection.mutation(api.threads.upsertFromStream, thread);
  await expect(written).rejects.toMatchObject({ code: 'convex_unavailable', retryable: true });
  await until('the tokens are refused', () => connection.isRefused);
  expect(connection.connected).toBe(false);
});
