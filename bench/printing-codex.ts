/**
 * In the place of Codex: prints so many lines a second for so many seconds, each with its number
 * and when it was printed, as updates of an item that grows. Arguments: rate, seconds, and then
 * whatever Codex gets.
 */
const [rate = 0, seconds = 0] = process.argv.slice(2, 4).map(Number);
/** Milliseconds between two writes. */
const INTERVAL = 10;

if (process.argv.includes('--version')) {
  console.log('codex-cli 0.169.0');
  process.exit(0);
}
console.log('{"type":"thread.started","thread_id":"01a21610-1106-7890-9203-3f18b838f17d"}');
console.log('{"type":"turn.started"}');
const output = 'x'.repeat(64);
const begun = performance.now();
let printed = 0;
const timer = setInterval(() => {
  const elapsed = Math.min(seconds, (performance.now() - begun) / 1_000);
  const lines: string[] = [];
  for (; printed < Math.floor(elapsed * rate); printed += 1) lines.push(line(printed));
  if (lines.length > 0) process.stdout.write(lines.join(''));
  if (elapsed < seconds) return;
  clearInterval(timer);
  console.log('{"type":"turn.completed","usage":{}}');
}, INTERVAL);

/** Its number and time stand at fixed places. */
function line(n: number): string {
  const head = `{"n":"${String(n).padStart(8, '0')}","at":${Date.now()}`;
  const item = `{"id":"item_1","type":"command_execution","command":"build","aggregated_output":"${output}","exit_code":null,"status":"in_progress"}`;
  return `${head},"type":"item.updated","item":${item}}\n`;
}
