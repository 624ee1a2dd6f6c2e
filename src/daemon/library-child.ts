import { join } from 'node:path';
import { projectActors, skillActors } from '../actors/library/library-actors.ts';
import { ProjectFiles, projectsFolder } from '../actors/library/project-files.ts';
import { SkillFiles } from '../actors/library/skill-files.ts';
import { registrySkills } from '../entries.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { libraryWatch } from '../machines/library-watch.ts';
import { SYSTEM } from '../machines/protocol.ts';
import { supervisor } from '../machines/supervisor.ts';
import type { Parts } from './parts.ts';

/** Projects and skills: two watchers under a supervisor of their own. */
export function libraryChild({ config, connection, identity }: Parts): ChildSpec {
  const projects = new ProjectFiles(projectsFolder(config.home));
  const skills = new SkillFiles(join(config.home, 'skills'), registrySkills(), projects);
  const options = { connection, machineId: identity.machineId };
  const watcher = (
    id: 'projects' | 'skills',
    actors: ReturnType<typeof projectActors> | ReturnType<typeof skillActors>,
  ) =>
    childSpec({
      id: SYSTEM[id],
      systemId: SYSTEM[id],
      logic: libraryWatch.provide({ actors }),
      input: { id, enabled: config.convexSync },
      restart: 'permanent',
      shutdown: 250,
    });
  return childSpec({
    id: 'library',
    logic: supervisor,
    input: {
      id: 'library',
      strategy: 'one_for_one',
      intensity: { maxRestarts: 5, windowMs: 60_000 },
      backoff: { minMs: 100, maxMs: 10_000, factor: 2 },
      random: Math.random,
      notify: SYSTEM.gateway,
      children: [
        watcher('projects', projectActors(projects, { ...options, runRoots: config.runRoots })),
        watcher('skills', skillActors(skills, projects.folder, options)),
      ],
    },
    restart: 'permanent',
    shutdown: 500,
  });
}
