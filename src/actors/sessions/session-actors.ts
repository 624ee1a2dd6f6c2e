/** The actors of the sessions watcher, around their common knowledge of the files. */
import { createRolloutReader } from '../../codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION } from '../../codex/rollout/rollout-reader.ts';
import { tail } from '../../machines/tail.ts';
import { discovery, type DiscoveryOptions } from './discovery.ts';
import { SessionFiles } from './session-files.ts';
import { tailReader } from './tail-reader.ts';

/** What `sessionsWatch.provide` takes as its actors, besides `saveChoice`. */
export function sessionActors(options: Omit<DiscoveryOptions, 'files'>) {
  const files = new SessionFiles(PARSER_VERSION);
  const reader = tailReader({
    files,
    createReader: createRolloutReader,
    parserVersion: PARSER_VERSION,
  });
  return {
    discovery: discovery({ ...options, files }),
    tail: tail.provide({ actors: { reader } }),
  };
}
