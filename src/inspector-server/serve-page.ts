/** Serves the inspector's page to this machine, and to nobody else. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { inspectorPage } from '../entries.ts';
import { bundlePage, type PageFiles } from './bundle-page.ts';
import { listenOnLoopback, type ServedPage } from './listen-on-loopback.ts';

export interface PageOptions {
  /** 0 picks a free port. */
  port: number;
  /** Shown instead of a running daemon: a recording, one event a line. */
  recording?: string;
  /** By default those that belong to this program. Looked up at each request. */
  files?: PageFiles;
}

export async function servePage({ port, recording, files }: PageOptions): Promise<ServedPage> {
  const page = files ?? (await ownFiles());
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').replace(/[?#].*$/, '').slice(1) || 'index.html';
    const content = name === 'recording.jsonl' ? recording : page.get(name);
    // Another name in `Host` is a page of somebody else that was made to point here.
    const isOurs = LOOPBACK.test(request.headers.host ?? '');
    if (!isOurs || content === undefined || request.method !== 'GET') {
      response.writeHead(isOurs ? 404 : 403, { 'content-type': 'text/plain' });
      response.end(isOurs ? 'There is no such file.\n' : 'Only by a loopback address.\n');
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'text/plain', ...HEADERS });
    response.end(content);
  });
  return await listenOnLoopback(server, port);
}

async function ownFiles(): Promise<PageFiles> {
  const page = inspectorPage();
  if ('sources' in page) return await bundlePage(page.sources);
  return new Map(
    readdirSync(page.built).map((name) => [name, readFileSync(join(page.built, name), 'utf8')]),
  );
}

export const LOOPBACK = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.jsonl': 'application/jsonl; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

/** The page may load itself and speak to a bridge, and nothing may frame it or keep it. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
    "img-src data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
