/** A process that stands for the bridge: it starts a program under a guard, and waits to be killed. */
import { spawn } from 'node:child_process';
import { createProcessGuard } from '../../src/actors/codex-process/process-guard.ts';

const [ledgerFile = '', program = ''] = process.argv.slice(2);
const guard = createProcessGuard(ledgerFile);
const child = spawn(program, { detached: true, stdio: ['ignore', 'inherit', 'ignore'] });
await guard.add('r1', child.pid ?? 0);
console.log(JSON.stringify({ child: child.pid }));
setInterval(() => {}, 60_000);
