/**
 * Every verb with every field missing, of the wrong type, huge or hostile, made from the schemas
 * and sent to a real daemon: each is answered, under its own id, by a reply or by an error with
 * a code; the daemon neither fails nor restarts a part.
 */
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { assert, asyncProperty, constantFrom, record, uniqueArray } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { controlErrorCode } from '../../src/control/frames.ts';
import { controlRequest } from '../../src/control/requests.ts';
import { SYSTEM } from '../../src/machines/protocol.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** What a field may be given instead of what it should have; JSON text, so that no type holds it back. */
const HOSTILE = [
  'null',
  'true',
  '-1',
  '1e400',
  '9007199254740993',
  '0.5',
  '""',
  '"../../../../etc/passwd"',
  '"..\\\\..\\\\windows"',
  '"/etc/passwd"',
  '"/dev/zero"',
  '"/proc/self/environ"',
  '"--dangerously-bypass-approvals-and-sandbox"',
  '"$(touch /tmp/pwned)"',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '"constructor"',
  '[]',
  '{}',
  '{"__proto__":{"admin":true}}',
  '{"$gt":""}',
  `"${'a'.repeat(200_000)}"`,
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  JSON.stringify({ id: '../../escape', name: 'x', workingDir: '/tmp' }),
  JSON.stringify({ id: 'x', name: 'x', workingDir: '/tmp', cliPath: '/bin/sh', env: { A: 'b' } }),
];

const requests = controlRequest.options.map((option) => {
  const fields = Object.keys(option.shape).filter((name) => name !== 'control' && name !== 'id');
  return { verb: option.shape.control.value, fields };
});
/** Fields that no schema has: what a client must not be able to choose. */
const FORBIDDEN = ['cwd', 'cliPath', 'codexBin', 'env', 'args', 'scope', 'home', 'url'];

const reply = z.looseObject({ type: z.string(), replyTo: z.number(), code: z.string().optional() });

let folder: ReturnType<typeof temporaryFolder>;
let daemon: DaemonProcess;

beforeAll(async () => {
  folder = temporaryFolder();
  daemon = await startDaemonProcess({ folder: folder.path });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

test.each(requests)(
  '$verb: each of its fields hostile, missing, or with others beside it',
  async ({ verb, fields }) => {
    const control = JSON.stringify(verb);
    const forbidden = Object.fromEntries(FORBIDDEN.map((name) => [name, '"/bin/sh"']));
    const frames = [
      { control },
      { control, ...forbidden },
      ...fields.flatMap((name) => HOSTILE.map((value) => ({ control, [name]: value }))),
    ];
    const answers = await exchange(frames);
    // More than one connection may ask for at once is asked over several.
    expect(answers.map(({ replyTo }) => replyTo)).toEqual(frames.map((_, n) => n));
    const codes = answers.filter(({ type }) => type === 'bridge.error').map(({ code }) => code);
    expect(controlErrorCode.array().safeParse(codes).success).toBe(true);
    expect(answers.filter(({ code }) => code === 'internal')).toEqual([]);
    expect(answers.filter(({ code }) => code === 'rate_limited')).toEqual([]);
  },
);

test('verbs, fields and values thrown together', async () => {
  const verbs = constantFrom(...requests.map(({ verb }) => verb));
  const names = [...new Set([...requests.flatMap(({ fields }) => fields), ...FORBIDDEN])];
  const field = record({ name: constantFrom(...names), value: constantFrom(...HOSTILE) });
  const fields = uniqueArray(field, { maxLength: 5, selector: ({ name }) => name });
  const frames: Record<string, string>[] = [];
  await assert(
    asyncProperty(verbs, fields, async (verb, chosen) => {
      const entries = chosen.map(({ name, value }) => [name, value] as const);
      frames.push({ control: JSON.stringify(verb), ...Object.fromEntries(entries) });
    }),
    { numRuns: 400, seed: 6 },
  );
  const answers = await exchange(frames);
  expect(answers).toHaveLength(frames.length);
  expect(answers.filter(({ code }) => code === 'internal')).toEqual([]);
});

test('nothing of it left the home, was run, or took a part of the daemon down', async () => {
  expect(existsSync('/tmp/pwned')).toBe(false);
  expect(readdirSync(folder.path).toSorted()).toEqual(
    ['codex', 'openagents'].filter((name) => existsSync(`${folder.path}/${name}`)),
  );
  const bridge = await daemon.connect();
  const { actors } = await bridge.request('bridge.status');
  bridge.close();
  const parts: string[] = Object.values(SYSTEM);
  const ours = actors.filter(({ id }) => parts.includes(id));
  expect(ours.length).toBeGreaterThanOrEqual(8);
  expect(ours.filter(({ status, restarts }) => status !== 'active' || restarts > 0)).toEqual([]);
  // A part that is started again has failed first, which is told at this level.
  expect(daemon.log.filter(({ level }) => (level ?? 0) >= 50)).toEqual([]);
});

/** One connection may ask so many at once. */
const BURST = 90;

/** Sends each frame, with its place as its id, and collects one answer for each. */
async function exchange(frames: Record<string, string>[]): Promise<z.infer<typeof reply>[]> {
  const answers: z.infer<typeof reply>[] = [];
  for (let from = 0; from < frames.length; from += BURST) {
    const socket = new WebSocket(`${daemon.controlUrl}?token=${daemon.token}`);
    const all = Promise.withResolvers<void>();
    const part = frames.slice(from, from + BURST);
    const until = answers.length + part.length;
    socket.on('message', (data: Buffer) => {
      const answer = reply.safeParse(JSON.parse(data.toString()));
      if (!answer.success) return;
      answers.push(answer.data);
      if (answers.length === until) all.resolve();
    });
    await once(socket, 'open');
    socket.on('close', () => all.reject(new Error('The connection was closed.')));
    part.forEach((frame, n) => {
      const fields = Object.entries(frame).map(
        ([name, value]) => `${JSON.stringify(name)}:${value}`,
      );
      socket.send(`{"id":${from + n},${fields.join(',')}}`);
    });
    await all.promise;
    socket.removeAllListeners('close');
    socket.terminate();
  }
  return answers.toSorted((a, b) => a.replyTo - b.replyTo);
}
