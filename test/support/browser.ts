/** A real Chromium with a page of ours in it. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Page, type ViewportSize } from 'playwright-core';

export interface BrowserPage {
  page: Page;
  /** What the page printed as an error or threw. */
  errors: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Bundles `entry` (a file beside the tests), serves it on loopback and opens it. */
export async function openPage(entry: string, query: Record<string, string>): Promise<BrowserPage> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../e2e/page/${entry}`, import.meta.url))],
    bundle: true,
    write: false,
    // As a module: pages await what they need before they show anything.
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url === '/main.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(
      isScript
        ? script
        : '<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/main.js"></script>',
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is never a pipe name.
  const { port } = server.address() as AddressInfo;

  const opened = await openUrl(
    `http://127.0.0.1:${port}/?${new URLSearchParams(query).toString()}`,
  );
  return {
    ...opened,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Opens the page of somebody else's server. */
export async function openUrl(url: string, viewport?: ViewportSize): Promise<BrowserPage> {
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: CHROMIUM_FLAGS });
  const page = await browser.newPage(viewport && { viewport });
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(url);
  return {
    page,
    errors,
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** A closed network is no reason to wait: nothing but our page is fetched. */
const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function chromiumPath(): string {
  const candidates = [
    process.env['CHROME_BIN'],
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ];
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) {
    throw new Error(
      'The browser tests need Chromium: install it (Debian: apt-get install chromium) or name it in CHROME_BIN.',
    );
  }
  return found;
}
