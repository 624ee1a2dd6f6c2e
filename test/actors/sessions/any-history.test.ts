import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom, integer, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { Mirror, startSessions } from '../../support/sessions-harness.ts';
import { createSession } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const ACTIONS = [
  'append',
  'append',
  'append',
  'tear',
  'rewrite',
  'replace',
  'delete',
  'let it read',
  'restart the watcher',
  'lose the answers of the writer',
  'take Convex away and back',
] as const;

const FILES = 3;

test(
  'whatever happens to files, watcher, writer and Convex: every line once, in order',
  { timeout: 60_000 },
  async () => {
    const step = tuple(
      constantFrom(...ACTIONS),
      integer({ min: 0, max: FILES - 1 }),
      integer({ min: 1, max: 90 }),
    );
    await assert(
      asyncProperty(array(step, { minLength: 5, maxLength: 25 }), async (steps) => play(steps)),
      { seed: 20_261_123, numRuns: 60 },
    );
  },
);

async function play(steps: [(typeof ACTIONS)[number], number, number][]): Promise<void> {
  using folder = temporaryFolder();
  const root = join(folder.path, 'sessions');
  const mirror = new Mirror();
  const sessions = Array.from({ length: FILES }, () => createSession(folder.path));
  const torn = new Map<string, string>();
  const written = new Set<string>();
  let texts = 0;
  let watch = startSessions({ root, mirror });

  /** New lines, and what a torn one still lacks. */
  const lines = (n: number, count: number) => {
    const session = sessions[n];
    if (session === undefined) throw new Error('no such session');
    const rest = torn.get(session.path) ?? '';
    torn.delete(session.path);
    const text = session.draft(() => {
      for (let line = 0; line < count; line += 1) {
        texts += 1;
        written.add(`text ${texts}`);
        session.assistant(`text ${texts}`);
      }
    });
    return { path: session.path, text: rest + text };
  };
  for (const [action, n, amount] of steps) {
    const path = sessions[n]?.path ?? '';
    switch (action) {
      case 'append':
        appendFileSync(path, lines(n, amount).text);
        break;
      case 'tear': {
        const { text } = lines(n, 1);
        appendFileSync(path, text.slice(0, amount));
        torn.set(path, text.slice(amount));
        break;
      }
      case 'rewrite':
      case 'replace': {
        const kept = existsSync(path)
          ? readFileSync(path, 'utf8').split('\n').slice(0, amount)
          : [];
        torn.delete(path);
        const whole = kept.map((line) => `${line}\n`).filter((line) => line.endsWith('}\n'));
        const content = whole.join('') + lines(n, amount).text;
        if (action === 'rewrite') writeFileSync(path, content);
        else {
          writeFileSync(join(folder.path, 'new'), content);
          renameSync(join(folder.path, 'new'), path);
        }
        break;
      }
      case 'delete':
        rmSync(path, { force: true });
        torn.delete(path);
        break;
      case 'let it read':
        await watch.settled();
        break;
      case 'restart the watcher':
        await watch[Symbol.asyncDispose]();
        watch = startSessions({ root, mirror });
        break;
      case 'lose the answers of the writer': {
        const jobs = mirror.jobs.length;
        mirror.isHolding = true;
        appendFileSync(path, lines(n, amount).text);
        await watch.until(() => mirror.jobs.length > jobs);
        watch.restartWriter();
        break;
      }
      case 'take Convex away and back':
        watch.setConvex(false);
        watch.setConvex(true);
        break;
    }
  }
  for (const path of torn.keys()) appendFileSync(path, torn.get(path) ?? '');
  const there = sessions.filter(({ path }) => existsSync(path));
  const isRead = ({ path }: { path: string }) =>
    (mirror.cursors.get(path)?.offset ?? 0) === statSync(path).size;
  await watch.until(
    () =>
      watch.status().state === 'watching.settled' &&
      watch.status().bytes.pending === 0 &&
      there.every(isRead),
  );
  await watch[Symbol.asyncDispose]();

  for (const { path, threadId } of there) {
    const inFile = [...readFileSync(path, 'utf8').matchAll(/"Text","text":"(text \d+)"/g)].map(
      ([, text]) => text,
    );
    const mirrored = mirror.texts(threadId);
    expect(new Set(mirrored).size).toBe(mirrored.length);
    const missing = inFile.filter((text) => !mirrored.includes(text ?? ''));
    expect(missing).toEqual([]);
    expect(mirrored.filter((text) => !written.has(text))).toEqual([]);
    expect(mirrored).toEqual(mirrored.toSorted((one, other) => number(one) - number(other)));
  }
}

function number(text: string): number {
  return Number(text.slice('text '.length));
}
