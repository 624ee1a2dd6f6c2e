/** The actors of the sessions watcher, around their common knowledge of the files. */
import { createRolloutReader } from '../../codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION } from '../../codex/rollout/rollout-reader.ts';
import { tail } from '../../machines/tail.ts';
import { discovery, type DiscoveryOptions } from './discovery.ts';
import type { RecentlySetAside } from './recently-set-aside.ts';
import { SessionFiles } from './session-files.ts';
import { tailReader } from './tail-reader.ts';

/** What `sessionsWatch.provide` takes as its actors, besides `saveChoice`. */
export function sessionActors({
  setAside,
  loadCursors,
  ...options
}: Omit<DiscoveryOptions, 'files'> & { setAside: RecentlySetAside }) {
  const files = new SessionFiles(PARSER_VERSION);
  const reader = tailReader({
    files,
    setAside,
    createReader: createRolloutReader,
    parserVersion: PARSER_VERSION,
  });
  return {
    discovery: discovery({ ...options, files, loadCursors: setAside.learningFrom(loadCursors) }),
    tail: tail.provide({ actors: { reader } }),
  };
}
