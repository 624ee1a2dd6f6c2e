/**
 * `npm run pictures`: makes the pictures in docs/images anew: the demo in a terminal, and the
 * inspector's page on a run and on a backend that was killed, each of the real thing. Look at them
 * before they are committed.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Page } from 'playwright-core';
import { openUrl } from '../test/support/browser.ts';
import { startBusyDaemon, type BusyDaemon } from '../test/support/busy-daemon.ts';
import { commandLine, firstOutput } from '../test/support/command-line.ts';
import { codexBin } from '../test/support/scripted-model/codex-home.ts';
import { hold, say, shell } from '../test/support/scripted-model/script.ts';

const images = fileURLToPath(new URL('../docs/images', import.meta.url));
/** Colours as on a terminal, also into a pipe. */
const COLOURS = { FORCE_COLOR: '1' };
/** What the codes of a terminal (ECMA-48, SGR) begin; others end what was begun. */
const STYLES: Record<string, string> = { 1: 'b', 2: 'd', 31: 'r', 32: 'g', 33: 'y', 36: 'c' };

const demo = await execa('npm', ['run', '--silent', 'demo'], { env: COLOURS });
await using daemon = await startBusyDaemon([
  [say('I look around.'), shell('ls -la')],
  [hold('gate'), say('Done.')],
]);
const env = { ...daemon.env, ...COLOURS };
const status = await commandLine(daemon.folder, ['status'], env);
await photographTerminal([
  ['npm run demo', demo.stdout],
  ['oa-bridge status', status.stdout.replaceAll(codexBin, 'codex')],
]);
await photographInspector(daemon);

async function photographTerminal(shown: readonly [command: string, output: string][]) {
  const text = shown.map(
    ([command, output]) => `<span class="g">$ ${command}</span>\n${html(output)}\n`,
  );
  await using browser = await openUrl('about:blank', { width: 1280, height: 800 });
  await browser.page.setContent(`<style>
    body { margin: 0; background: #16181d; }
    pre { margin: 0; padding: 28px 32px; width: max-content; color: #e4e6eb; font: 15px/1.55 monospace; }
    .c { color: #7fc8d8; } .g { color: #98c379; } .y { color: #e5c07b; } .r { color: #e06c75; }
    .d { opacity: 0.6; } .b { font-weight: bold; }
  </style><pre>${text.join('\n')}</pre>`);
  await browser.page.locator('pre').screenshot({ path: join(images, 'demo.png') });
}

function html(output: string): string {
  const escaped = output.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  // oxlint-disable-next-line no-control-regex -- it is one that is looked for
  return escaped.replace(/\u001b\[(\d+)m/g, (_, code: string) => {
    const style = STYLES[code];
    return style === undefined ? '</span>' : `<span class="${style}">`;
  });
}

async function photographInspector({ folder, model, ...running }: BusyDaemon): Promise<void> {
  const inspect = commandLine(folder, ['inspect'], running.env);
  const url = (await firstOutput(inspect)).trim();
  await using browser = await openUrl(url, { width: 1440, height: 860 });
  const { page } = browser;
  await running.submit();
  await model.reached('gate');
  const run = page.getByRole('treeitem', { name: /^run-/ });
  await run.click();
  await activeState(page, 'running.work.turn');
  await run.scrollIntoViewIfNeeded();
  await photograph(page, 'inspector-run');
  model.release('gate');
  await activeState(page, 'completed');

  await page.keyboard.press('t');
  await page.getByRole('treeitem', { name: /^convex;/ }).click();
  await running.killBackend();
  await page.getByRole('treeitem', { name: /^health;.*started again 1 times/ }).waitFor();
  await activeState(page, 'online');
  await photograph(page, 'inspector-restart');
  inspect.kill('SIGINT');
  await inspect;
}

async function activeState(page: Page, path: string): Promise<void> {
  await page.locator(`.statechart [data-state="${path}"].active`).waitFor();
}

async function photograph(page: Page, name: string): Promise<void> {
  // A transition that is shown as it happens comes to its rest.
  await page.evaluate('Promise.all(document.getAnimations().map(({ finished }) => finished))');
  await page.screenshot({ path: join(images, `${name}.png`) });
}
