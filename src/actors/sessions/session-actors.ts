/** The actors of the sessions watcher, around their common knowledge of the files. */
import { createRolloutReader } from '../../codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION } from '../../codex/rollout/rollout-reader.ts';
import { tail } from '../../machines/tail.ts';
import { discovery, type DiscoveryOptions } from './discovery.ts';
import { FileParser } from './line-parser.ts';
import { ParsingThread } from './parsing-thread.ts';
import { Imports } from './imports.ts';
import type { RecentlySetAside } from './recently-set-aside.ts';
import { SessionFiles } from './session-files.ts';
import { tailReader } from './tail-reader.ts';

interface SessionActorsOptions extends Omit<DiscoveryOptions, 'files' | 'imports'> {
  setAside: RecentlySetAside;
  /** In and below which a backfill may read besides the watched ones; empty: anywhere. */
  backfillRoots: readonly string[];
  /** Told when the reading of history begins, and when nobody has read any for a while. */
  onHistory: (isRead: boolean) => void;
}

/** What `sessionsWatch.provide` takes as its actors, besides `saveChoice`. */
export function sessionActors({
  setAside,
  loadCursors,
  backfillRoots,
  onHistory,
  ...options
}: SessionActorsOptions) {
  const files = new SessionFiles(PARSER_VERSION);
  const history = new ParsingThread(onHistory);
  const reader = tailReader({
    files,
    setAside,
    openParser: ({ path, isHistory }) =>
      isHistory
        ? history.parser(path)
        : new FileParser(createRolloutReader({ path }), PARSER_VERSION),
    parserVersion: PARSER_VERSION,
  });
  return {
    discovery: discovery({
      ...options,
      files,
      imports: new Imports(files, backfillRoots),
      loadCursors: setAside.learningFrom(loadCursors),
    }),
    tail: tail.provide({ actors: { reader } }),
  };
}
