/** From the save of a `PROJECT.md` to a subscriber, and how soon a thousand skills are there. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFunctionReference } from 'convex/server';
import { startDaemonProcess } from '../test/support/daemon-process.ts';
import { subscribe } from '../test/support/subscriber.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

const EDITS = 100;
const SKILLS = 1_000;

interface Row {
  name: string;
}

const projectsList = makeFunctionReference<'query', Record<string, never>, Row[]>('projects:list');
const skillsListAll = makeFunctionReference<'query', { limit: number }, Row[]>('skills:listAll');

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  const home = join(folder.path, 'openagents');
  mkdirSync(home, { mode: 0o700 });
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const { client } = subscribe(daemon);
  const seen = async <Query extends typeof projectsList | typeof skillsListAll>(
    query: Query,
    args: Query['_args'],
    fits: (rows: Row[]) => boolean,
  ) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const stop = client.onUpdate(query, args, (rows: Row[]) => {
      if (fits(rows)) resolve(performance.now());
    });
    const at = await promise;
    stop();
    return at;
  };

  const edits: number[] = [];
  const file = join(home, 'projects', 'site', 'PROJECT.md');
  mkdirSync(join(home, 'projects', 'site'), { recursive: true });
  for (let edit = 0; edit < EDITS; edit += 1) {
    const name = `edit ${edit}`;
    const done = seen(projectsList, {}, ([row]) => row?.name === name);
    // As editors do it: beside the file, then over it.
    writeFileSync(`${file}~`, `---\nname: ${name}\nworkingDir: /tmp\n---\n`);
    const start = performance.now();
    renameSync(`${file}~`, file);
    edits.push((await done) - start);
  }

  // Moved in whole, so that the clock starts when all are there.
  const skills = join(folder.path, 'skills');
  for (let n = 0; n < SKILLS; n += 1) {
    mkdirSync(join(skills, `skill-${n}`), { recursive: true });
    const text = `---\nname: skill-${n}\ndescription: Does the thing number ${n}.\n---\n\nHow.\n`;
    writeFileSync(join(skills, `skill-${n}`, 'SKILL.md'), text);
  }
  const all = seen(skillsListAll, { limit: 2 * SKILLS }, (rows) => rows.length >= SKILLS);
  const start = performance.now();
  for (let n = 0; n < SKILLS; n += 1) {
    renameSync(join(skills, `skill-${n}`), join(home, 'skills', `skill-${n}`));
  }
  const there = (await all) - start;
  await client.close();
  return {
    'edit of a PROJECT.md to Convex subscriber': `p50 ${percentile(edits, 0.5).toFixed(0)} ms, p99 ${percentile(edits, 0.99).toFixed(0)} ms`,
    [`${SKILLS} new skills, all on the screen`]: `${there.toFixed(0)} ms`,
  };
}
