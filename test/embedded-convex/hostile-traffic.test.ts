/**
 * Whatever is thrown at the real server process: it answers or hangs up, and goes on. A slice
 * of `npm run test:fuzz`, which tries other values each time; HOSTILE_RUNS says how many.
 */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect as connectTcp } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { spawnBackend } from './support/backend-process.ts';
import type { BackendProcess } from './support/backend-process.ts';
import { bytes, frame, request } from './support/hostile-traffic.ts';
import type { HostileRequest } from './support/hostile-traffic.ts';

const chosenRuns = Number(process.env['HOSTILE_RUNS'] ?? 0);
/** The same values in each run of the tests; others in a campaign. */
const campaign = chosenRuns > 0 ? { numRuns: chosenRuns } : { numRuns: 400, seed: 20_261_123 };
/** ms. Far above what an answer takes, below what a person takes for a hang. */
const answerLimitMs = 10_000;
const timeLimitMs = 60_000 + campaign.numRuns * 100;

let folder: ReturnType<typeof temporaryFolder>;
let backend: BackendProcess;
let port: number;
beforeAll(async () => {
  folder = temporaryFolder();
  backend = spawnBackend(folder.path);
  ({ port } = await backend.ready);
});
afterAll(async () => {
  await backend[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

test(
  'any frames on a sync connection are answered or end it with a reason',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 6 }), async (frames) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/api/1.48.0/sync`);
        await once(socket, 'open');
        const heard: string[] = [];
        const settled = new Promise<void>((resolve) => {
          socket.on('message', (data: Buffer) => {
            heard.push(data.toString());
            if (heard.at(-1)?.includes('rooms:probe') === true) resolve();
          });
          socket.on('close', () => resolve());
        });
        for (const sent of frames) socket.send(sent);
        // Its place in the queue shows that everything before it was dealt with.
        socket.send(probe);
        await within(settled, `no answer to ${JSON.stringify(frames)}`);
        const isClosed = socket.readyState === WebSocket.CLOSED;
        expect(isClosed || heard.length > 0).toBe(true);
        socket.terminate();
        await expectAlive();
      }),
      campaign,
    );
  },
  timeLimitMs,
);

test(
  'any request gets a status and, when it is refused, a code and a reason',
  async () => {
    await fc.assert(
      fc.asyncProperty(request, async (hostile) => {
        const answer = await within(answerTo(hostile), `no answer to ${JSON.stringify(hostile)}`);
        expect(answer.status).toBeGreaterThanOrEqual(200);
        expect(answer.status).toBeLessThan(500);
        expect(isExplained(hostile, answer)).toBe(true);
      }),
      campaign,
    );
    await expectAlive();
  },
  timeLimitMs,
);

test(
  'bytes that are no request, or half of one, hold nothing up',
  async () => {
    await fc.assert(
      fc.asyncProperty(bytes, async (text) => {
        const socket = connectTcp(port, '127.0.0.1');
        const closed = new Promise((resolve) => {
          socket.on('close', resolve);
        });
        // It may hang up on us in the middle.
        socket.on('error', () => undefined);
        socket.end(text, 'latin1');
        socket.resume();
        await within(closed, `it holds on to ${JSON.stringify(text)}`);
        await expectAlive();
      }),
      campaign,
    );
  },
  timeLimitMs,
);

test('after all that it ends in order, and nothing of it counted as a failure of the server', async () => {
  backend.kill('SIGTERM');
  const { exitCode, stderr } = await backend.exited;
  // Of a timestamp from the future its operator is told: it may mean that an old copy is served.
  const complaints = stderr.split('\n').filter((line) => !line.includes('has seen the timestamp'));
  expect({ exitCode, complaints: complaints.join('\n') }).toEqual({ exitCode: 0, complaints: '' });
});

/** A refusal says why; Node's own parser does not, about what is no HTTP at all. */
function isExplained({ method }: HostileRequest, { status, body }: Answer): boolean {
  if (status < 400 || method === 'HEAD' || (status === 400 && body === '')) return true;
  const { code, message } = JSON.parse(body);
  return typeof code === 'string' && typeof message === 'string';
}

interface Answer {
  status: number;
  body: string;
}

/** An action that fails at once: it depends on nothing that was sent before. */
const probe = JSON.stringify({
  type: 'Action',
  requestId: 4_000_000_000,
  udfPath: 'rooms:probe',
  args: [{}],
});

async function expectAlive(): Promise<void> {
  const response = await within(fetch(`http://127.0.0.1:${port}/version`), 'it does not answer');
  expect(await response.text()).toBe('embedded');
}

function answerTo({ method, path, headers, body }: HostileRequest) {
  return new Promise<Answer>((resolve, reject) => {
    const sent = httpRequest(
      { port, host: '127.0.0.1', method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

async function within<Result>(work: Promise<Result>, problem: string): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const limit = setTimeout(() => reject(new Error(problem)), answerLimitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(limit);
  }
}
