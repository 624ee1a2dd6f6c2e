/** `oa-bridge inspect` in a real Chromium, for a real daemon with the real Codex. */
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { startBusyDaemon, type BusyDaemon } from '../support/busy-daemon.ts';
import { openUrl, type BrowserPage } from '../support/browser.ts';
import { commandLine, firstOutput, type RunningCommand } from '../support/command-line.ts';
import { hold, say } from '../support/scripted-model/script.ts';

let daemon: BusyDaemon;
let inspect: RunningCommand;
let browser: BrowserPage;
let page: Page;

beforeAll(async () => {
  daemon = await startBusyDaemon([[say('Begun.'), hold('gate'), say('Ended.')]]);
  inspect = commandLine(daemon.folder, ['inspect'], daemon.env);
  browser = await openUrl((await firstOutput(inspect)).trim(), { width: 1440, height: 900 });
  ({ page } = browser);
});

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  inspect.kill('SIGKILL');
  await inspect;
  await daemon[Symbol.asyncDispose]();
});

const actor = (name: string) => page.getByRole('treeitem', { name: new RegExp(`^${name};`) });
const chartState = (path: string) => page.locator(`.statechart [data-state="${path}"]`);

test('shows the supervision tree of the running daemon, and keeps the token out of the address', async () => {
  await actor('convex').waitFor();
  expect(await actor('root').getAttribute('aria-level')).toBe('1');
  for (const name of ['gateway', 'convex', 'writer', 'sessions', 'library', 'runs']) {
    expect(await actor(name).getAttribute('aria-level')).toBe('2');
  }
  expect(await actor('projects').getAttribute('aria-level')).toBe('3');
  expect(page.url()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
});

test('can be used by keyboard: the tree, the theme, the filter', async () => {
  await actor('root').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect.poll(() => page.getByRole('heading', { level: 2 }).textContent()).toBe('gateway');
  await chartState('listening').and(page.locator('.active')).waitFor();
  const theme = () => page.evaluate('document.documentElement.style.colorScheme');
  const before = await theme();
  await page.keyboard.press('t');
  await expect.poll(theme).not.toBe(before);
  await page.keyboard.press('/');
  await page.keyboard.type('convexLink');
  await expect.poll(() => page.getByRole('treeitem').count()).toBe(2);
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox').fill('');
});

test('a run walks through its states while Codex runs, and can be gone back through', async () => {
  await daemon.submit();
  await daemon.model.reached('gate');
  await page.getByRole('treeitem', { name: /^run-/ }).click();
  await chartState('running.work.turn').and(page.locator('.active')).waitFor();
  daemon.model.release('gate');
  await chartState('completed').and(page.locator('.active')).waitFor();
  const told = page.getByRole('log', { name: 'Events' });
  await page.getByRole('searchbox').fill('run-');
  for (const step of [
    'queued → preparing.planning',
    'preparing.planning → spawning',
    /work\.starting.* → running\.work\.turn/,
    '→ completed',
  ]) {
    await told.getByRole('button', { name: step }).first().waitFor();
  }
  await told.getByRole('button', { name: /work\.starting.* → running\.work\.turn/ }).click();
  await chartState('running.work.turn').and(page.locator('.active')).waitFor();
  expect(await page.getByRole('status').textContent()).toBe('the past');
  await page.keyboard.press('l');
  await chartState('completed').and(page.locator('.active')).waitFor();
  await page.getByRole('searchbox').fill('');
});

test('a killed backend is seen to fail, and what was started again is marked', async () => {
  await actor('convex').click();
  await chartState('online').and(page.locator('.active')).waitFor();
  await daemon.killBackend();
  const told = page.getByRole('log', { name: 'Events' });
  await page.getByRole('searchbox').fill('convex');
  await told.getByRole('button', { name: 'online → backingOff' }).waitFor();
  await chartState('online').and(page.locator('.active')).waitFor();
  await page.getByRole('searchbox').fill('');
  const health = page.getByRole('treeitem', { name: /^health;.*started again once/ });
  await health.waitFor();
  expect(await health.locator('.mark.restarted').textContent()).toBe('↻1');
  await page.locator('.strip rect.restarted').first().waitFor({ state: 'attached' });
});

test('in a narrow window the panes stand one below the other, and nothing is cut off', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  const places: number[] = [];
  for (const name of ['Actors', 'State chart', 'Details', 'Time line']) {
    const box = await page.locator(`.pane[aria-label="${name}"]`).boundingBox();
    expect(box, name).toMatchObject({ x: 0, width: 360 });
    places.push(box?.y ?? 0);
  }
  expect(places).toEqual(places.toSorted((one, other) => one - other));
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("Stately's own inspector can be attached", async () => {
  const stately = commandLine(daemon.folder, ['inspect', '--stately'], daemon.env);
  const url = new URL((await firstOutput(stately)).trim());
  url.protocol = 'ws:';
  const receiver = createWebSocketReceiver({ server: url.href.replace(/\/$/, '') });
  const events: StatelyInspectionEvent[] = [];
  const subscription = receiver.subscribe((event) => events.push(event));
  const machine = () =>
    events.find((event) => event.type === '@xstate.actor' && event.name === 'convex');
  await expect.poll(machine).toMatchObject({ snapshot: { status: 'active', value: 'online' } });
  const convex = machine();
  if (convex?.type !== '@xstate.actor') throw new Error('no actor');
  expect(JSON.parse(convex.definition ?? '')).toMatchObject({ id: 'convexLink' });
  subscription.unsubscribe();
  stately.kill('SIGINT');
  await stately;
});

test('the page has said nothing wrong, and Ctrl-C ends its server', async () => {
  expect(browser.errors).toEqual([]);
  inspect.kill('SIGINT');
  expect((await inspect).exitCode).toBe(130);
});
