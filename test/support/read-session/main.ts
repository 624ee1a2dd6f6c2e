/**
 * A program: reads one session file as the daemon does, and prints how many items it
 * gave and how much memory the process took at most (kilobytes).
 */
import { createReadStream } from 'node:fs';
import { LineSplitter } from '../../../src/actors/sessions/line-splitter.ts';
import { LongLine } from '../../../src/actors/sessions/long-line.ts';
import { readLine } from '../../../src/actors/sessions/read-line.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';

const path = process.argv[2] ?? '';
const reader = createRolloutReader({ path });
const splitter = new LineSplitter(0, 512 * 1024, (offset) => new LongLine(offset));
let items = 0;
for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
  // A file stream without an encoding gives Buffers.
  for (const line of splitter.push(chunk as Buffer))
    items += readLine(reader, line, 1).items.length;
}
console.log(JSON.stringify({ items, maxRss: process.resourceUsage().maxRSS }));
