/** The actors of the watchers of projects and of skills. */
import { mkdir } from 'node:fs/promises';
import { fromPromise } from 'xstate';
import type { Broadcast } from '../../control/frames.ts';
import type { ControlRequest } from '../../control/requests.ts';
import type { ProjectsFrame, SkillsFrame } from '../../control/library.ts';
import { BridgeError } from '../../errors.ts';
import type { LibraryAnswer, LibrarySync } from '../../machines/library-events.ts';
import { visibleSkills } from '../../library/skill-scopes.ts';
import type { ConvexConnection } from '../convex/connection.ts';
import { folderChanges } from './folder-changes.ts';
import { projectsTable, skillsTable } from './library-tables.ts';
import { Mirror } from './mirror.ts';
import type { ProjectFiles, ProjectsReading } from './project-files.ts';
import { deleteProject, saveProject } from './save-project.ts';
import { skillKey, type SkillFiles, type SkillsReading } from './skill-files.ts';

interface Options {
  connection: Pick<ConvexConnection, 'query' | 'mutation'>;
  machineId: string;
}

interface ProjectOptions extends Options {
  /** In and below which projects that a client saves may lie; empty: anywhere. */
  runRoots: readonly string[];
}

/** What `libraryWatch.provide` takes for projects. */
export function projectActors(
  files: ProjectFiles,
  { connection, machineId, runRoots }: ProjectOptions,
) {
  const mirror = new Mirror(projectsTable(connection, machineId));
  return {
    changes: folderChanges,
    sync: syncActor(files.folder, async (fresh) => {
      const reading = await files.read();
      return {
        reading,
        frame: projectsFrame(reading),
        items: reading.projects.length,
        folders: [{ folder: files.folder }],
        ...(await mirror.sync(reading.projects, reading.ids, fresh)),
      };
    }),
    answer: fromPromise<LibraryAnswer, ControlRequest>(async ({ input }) => {
      if (input.control === 'project.save') await saveProject(files, input.project, runRoots);
      if (input.control === 'project.delete') {
        await deleteProject(files, input.projectId ?? String(input.id ?? ''));
      }
      const changed = input.control !== 'projects';
      return { frame: projectsFrame(await files.read()), changed };
    }),
  };
}

/** What `libraryWatch.provide` takes for skills. */
export function skillActors(
  files: SkillFiles,
  projectsFolder: string,
  { connection, machineId }: Options,
) {
  const mirror = new Mirror(skillsTable(connection, machineId));
  return {
    changes: folderChanges,
    sync: syncActor(files.folder, async (fresh) => {
      const reading = await files.read();
      return {
        reading,
        frame: skillsFrame(reading),
        items: reading.skills.length,
        folders: [
          { folder: files.folder },
          { folder: files.registryFolder },
          // They say whose skills there are.
          { folder: projectsFolder },
          ...reading.workingDirs.map((folder) => ({ folder, inner: 'skills' })),
        ],
        ...(await mirror.sync(reading.skills, reading.keys, fresh)),
      };
    }),
    answer: fromPromise<LibraryAnswer, ControlRequest>(async ({ input }) => {
      if (input.control !== 'skills') throw new BridgeError('internal', input.control);
      return { frame: skillsFrame(await files.read(), input.projectId), changed: false };
    }),
  };
}

type Look = Omit<LibrarySync, 'problems' | 'news'> & {
  reading: { problems: readonly unknown[] };
  frame: Broadcast;
};

/** One look at all files; what it found is news when it differs from the last look. */
function syncActor(folder: string, look: (fresh: boolean) => Promise<Look>) {
  let last = '';
  return fromPromise<LibrarySync, { fresh: boolean }>(async ({ input }) => {
    await makeFolder(folder);
    const { reading, frame, ...done } = await look(input.fresh);
    const text = JSON.stringify(frame);
    const isNews = text !== last;
    last = text;
    return { ...done, problems: reading.problems.length, news: isNews ? frame : null };
  });
}

function projectsFrame({ projects, problems }: ProjectsReading): ProjectsFrame {
  return { type: 'bridge.projects', items: projects, problems };
}

/** Without a project, those of all projects too; hidden ones never. */
function skillsFrame({ skills, problems }: SkillsReading, projectId?: string): SkillsFrame {
  const ofProject = skills.filter(
    (skill) =>
      skill.source !== 'project' || projectId === undefined || skill.projectId === projectId,
  );
  const items = visibleSkills(ofProject).sort((one, other) =>
    skillKey(one) < skillKey(other) ? -1 : 1,
  );
  return { type: 'bridge.skills', items, problems };
}

/** Only what is there can be watched; a person finds where to put files. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new BridgeError('library_unreadable', folder, { cause });
  }
}
