/**
 * A backend as a process, as small as can be: it listens, says so, and ends as the first
 * argument after `--watch-stdin` tells it (`obey`, `ignore`, `fail`, `mumble`).
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    db: { type: 'string' },
    port: { type: 'string' },
    interface: { type: 'string' },
    functions: { type: 'string' },
    'watch-stdin': { type: 'boolean' },
  },
});
const [manner = 'obey', detail = ''] = positionals;

if (manner === 'fail') {
  console.error(JSON.stringify({ error: detail, message: 'as it was told' }));
  process.exit(1);
}
if (manner === 'mumble') {
  console.error('some words');
  console.log('and others');
  process.exit(3);
}
if (manner === 'ignore') process.on('SIGTERM', () => console.log('no'));
else {
  process.on('SIGTERM', () => process.exit(0));
  process.stdin.on('end', () => process.exit(0)).resume();
}

const server = createServer((request, response) => {
  response.end(request.url === '/environment' ? JSON.stringify(process.env) : 'small');
});
server.listen(Number(values.port), values.interface, () => {
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  console.log(`pid ${process.pid}`);
  console.log(JSON.stringify({ ready: true, url, port }));
});
