/** The embedded backend alone: the second, small composition root, for `oa-bridge convex`. */
import { BackendProcess } from './actors/convex-backend/backend-process.ts';
import type { Config } from './config.ts';
import { embeddedConvexEntry, environmentArguments, functionsSource } from './entries.ts';
import type { BridgeError } from './errors.ts';
import { openTokenSigner } from './token-signer.ts';

export interface ServedConvex {
  /** Resolves with its address once it serves. */
  readonly ready: Promise<string>;
  /** Resolves when it has ended: null when it was told to, else why it did. */
  readonly ended: Promise<BridgeError | null>;
  end(): void;
}

interface ServedFunctions {
  functions?: string;
  environmentFile?: string;
  watch?: boolean;
}

/**
 * With the key of the home, so that `oa-bridge token --convex` gives tokens for it.
 * @param functions a folder that is served instead of the bridge's own functions
 * @param environmentFile environment variables of the functions, one name=value a line
 * @param watch load the functions anew when their folder changes
 */
export function serveConvex(
  config: Config,
  { functions, environmentFile, watch = false }: ServedFunctions,
  log: (line: string) => void,
): ServedConvex {
  const ready = Promise.withResolvers<string>();
  let isTold = false;
  const backend = new BackendProcess({
    entry: embeddedConvexEntry(),
    database: config.convexDb,
    port: config.convexPort,
    interface: config.convexInterface,
    functions: functions === undefined ? functionsSource() : { folder: functions },
    arguments: [
      ...environmentArguments(openTokenSigner(config.home).environment),
      ...(environmentFile === undefined ? [] : ['--environment-file', environmentFile]),
      ...(watch ? ['--watch'] : []),
    ],
    onReady: ({ url }) => ready.resolve(url),
    log,
  });
  return {
    ready: ready.promise,
    ended: backend.ended.then((error) => (isTold ? null : error)),
    end() {
      isTold = true;
      backend.end();
    },
  };
}
