/** A process that runs a small backend, prints its process id, and stays until it is killed. */
import { runBackend } from './running-backend.ts';

const running = runBackend(['obey']);
running.send('backend.start');
await running.next();
console.log(running.pids[0]);
