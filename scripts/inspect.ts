/**
 * `npm run inspect`: the inspector's page on a port of its own, made anew whenever one of its
 * files changes (reload the page), for the daemon of this machine. `--demo`: for a daemon of
 * its own, with the real Codex CLI and a scripted model that is given prompts again and again.
 */
import { watch } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { localBridge } from '../src/cli/local-bridge.ts';
import { loadConfig } from '../src/config.ts';
import { bundlePage } from '../src/inspector-server/bundle-page.ts';
import { servePage } from '../src/inspector-server/serve-page.ts';
import { startBusyDaemon } from '../test/support/busy-daemon.ts';

/** So that there is always something to see. */
const RUN_EVERY_MS = 15_000;
/** And something that goes wrong, and is put right. */
const KILL_EVERY_MS = 60_000;

const { values } = parseArgs({
  options: { demo: { type: 'boolean' }, port: { type: 'string', default: '8788' } },
});
await using demo = values.demo === true ? await startBusyDaemon() : undefined;
const pace = setInterval(() => void demo?.submit().catch(report), RUN_EVERY_MS);
const accidents = setInterval(() => void demo?.killBackend().catch(report), KILL_EVERY_MS);
const { url, token } = demo ?? localBridge(loadConfig({}, process.env));

const sources = fileURLToPath(new URL('../src/inspector', import.meta.url));
const files = new Map(await bundlePage(sources));
const served = await servePage({ port: Number(values.port), files });
const watcher = watch(sources, () => void refresh());
console.log(`${served.url}#${new URLSearchParams({ bridge: url, token }).toString()}`);
await Promise.race(
  ['SIGINT', 'SIGTERM'].map((signal) => new Promise((end) => process.once(signal, end))),
);
clearInterval(pace);
clearInterval(accidents);
watcher.close();
await served.close();

function report(error: unknown): void {
  console.error(String(error));
}

async function refresh(): Promise<void> {
  try {
    for (const [name, content] of await bundlePage(sources)) files.set(name, content);
  } catch (error) {
    report(error);
  }
}
