/** `oa-bridge convex`: the embedded backend alone, in the foreground. */
import type { Config } from '../config.ts';
import { serveConvex } from '../serve-convex.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface ConvexFlags {
  /** A folder. */
  functions?: string;
  /** A file of environment variables for them. */
  environmentFile?: string;
  /** Follow the folder. */
  watch?: boolean;
  json?: boolean;
}

export async function convex(config: Config, flags: ConvexFlags): Promise<ExitCode> {
  const backend = serveConvex(config, flags, (line) => {
    process.stderr.write(`${line}\n`);
  });
  // A second one does not hurt: it is already ending, and has its own limit.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => backend.end());
  void backend.ready.then((url) => {
    console.log(
      flags.json === true
        ? JSON.stringify({ ready: true, url })
        : `Convex is served at ${url}  (database ${config.convexDb}). Ctrl-C ends it.`,
    );
  });
  const error = await backend.ended;
  if (error !== null) throw error;
  return EXIT.done;
}
