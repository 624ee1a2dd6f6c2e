import { expect, expectTypeOf, it } from 'vitest';
import type { Infer } from 'convex/values';
import * as cursors from '../../convex/cursors.ts';
import * as messages from '../../convex/messages.ts';
import * as projects from '../../convex/projects.ts';
import * as runs from '../../convex/runs.ts';
import * as skills from '../../convex/skills.ts';
import * as threads from '../../convex/threads.ts';
import type { fileCursor, threadItem, threadPatch } from '../../convex/validators.ts';
import type { ThreadItem, ThreadPatch } from '../../src/codex/thread-item.ts';
import { approvalMode, sandboxMode } from '../../src/control/modes.ts';
import type { FileCursor, WriteResult } from '../../src/machines/protocol.ts';
import * as validators from '../../convex/validators.ts';

const faces = { cursors, messages, projects, runs, skills, threads };

/** Public names that clients rely on. */
const endpoints = [
  'cursors:byPath',
  'cursors:forMachine',
  'messages:byId',
  'messages:countForThread',
  'messages:create',
  'messages:finalizeStreamed',
  'messages:forThread',
  'messages:inKeyOrder',
  'messages:ingest',
  'messages:provisional',
  'messages:repair',
  'messages:search',
  'messages:upsertStreamed',
  'projects:byId',
  'projects:forMachine',
  'projects:list',
  'projects:remove',
  'projects:upsertFromFs',
  'runs:active',
  'runs:byId',
  'runs:cancel',
  'runs:complete',
  'runs:edit',
  'runs:enqueue',
  'runs:fail',
  'runs:interrupt',
  'runs:lease',
  'runs:listForThread',
  'runs:progress',
  'runs:recent',
  'skills:bulkUpsertFromFs',
  'skills:forMachine',
  'skills:listAll',
  'skills:listByScope',
  'skills:removeByScope',
  'skills:upsertFromFs',
  'threads:byId',
  'threads:create',
  'threads:list',
  'threads:listWithCounts',
  'threads:rename',
  'threads:upsertFromStream',
];

it('the faces register exactly the public functions', () => {
  const registered = Object.entries(faces).flatMap(([face, module]) =>
    Object.entries(module).map(([name, definition]) => ({
      name: `${face}:${name}`,
      isPublic: 'isPublic' in definition,
    })),
  );
  const named = (open: boolean) =>
    registered.filter(({ isPublic }) => isPublic === open).map(({ name }) => name);
  expect(named(true).sort()).toEqual(endpoints);
  expect(named(false)).toEqual(['messages:applyRevert']);
});

it('every function checks its arguments and its result', () => {
  for (const [face, module] of Object.entries(faces)) {
    for (const [name, registered] of Object.entries(module)) {
      // Both are what a backend calls to learn a function's validators.
      const { exportArgs, exportReturns } = registered as unknown as {
        exportArgs: () => string;
        exportReturns: () => string;
      };
      expect(JSON.parse(exportArgs()), `${face}:${name} arguments`).toMatchObject({
        type: 'object',
      });
      expect(JSON.parse(exportReturns()), `${face}:${name} result`).not.toBeNull();
    }
  }
});

it('a folder beside a face registers nothing of its own', async () => {
  const definitions = await Promise.all([
    import('../../convex/cursors/queries.ts'),
    import('../../convex/messages/queries.ts'),
    import('../../convex/messages/mutations.ts'),
    import('../../convex/projects/queries.ts'),
    import('../../convex/projects/mutations.ts'),
    import('../../convex/skills/queries.ts'),
    import('../../convex/skills/mutations.ts'),
    import('../../convex/runs/queries.ts'),
    import('../../convex/runs/mutations.ts'),
    import('../../convex/threads/queries.ts'),
    import('../../convex/threads/mutations.ts'),
  ]);
  for (const definition of definitions.flatMap((module) => Object.values(module))) {
    expect(definition).not.toHaveProperty('isPublic');
  }
});

it('what the bridge hands over is what the validators take', () => {
  expectTypeOf<ThreadItem>().toExtend<Infer<typeof threadItem>>();
  // `data` is JSON on one side, and whatever Convex can hold on the other.
  expectTypeOf<Omit<ThreadItem, 'data'>>().toEqualTypeOf<Omit<Infer<typeof threadItem>, 'data'>>();
  expectTypeOf<ThreadPatch>().toEqualTypeOf<Infer<typeof threadPatch>>();
  expectTypeOf<FileCursor>().toEqualTypeOf<Infer<typeof fileCursor>>();
  expectTypeOf<Omit<WriteResult, 'rejected'>>().toExtend<
    Omit<Infer<typeof validators.ingestResult>, 'threadDocId'> & { threadDocId: string }
  >();
});

it('a run keeps every sandbox and approval mode that a request may ask for', () => {
  const literals = (union: { members: { value: unknown }[] }) => union.members.map((m) => m.value);
  expect(literals(validators.sandboxMode)).toEqual(sandboxMode.options);
  expect(literals(validators.approvalMode)).toEqual(approvalMode.options);
});
