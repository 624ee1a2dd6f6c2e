import { expect, test } from 'vitest';
import { LogLines } from '../../../src/embedded-convex/runtime/log-lines.ts';

test('the 256th line says that the rest is left out', () => {
  const log = new LogLines();
  for (let at = 0; at < 300; at += 1) log.add('LOG', [String(at)]);
  expect(log.lines).toHaveLength(256);
  expect(log.lines.slice(-2)).toEqual([
    '[LOG] 254',
    '[ERROR] Log overflow (maximum 256). Remaining log lines omitted.',
  ]);
});

test('a line is cut at 32 KiB, between two characters', () => {
  const log = new LogLines();
  log.add('WARN', ['a', '€'.repeat(20_000)]);
  log.add('WARN', ['x'.repeat(32_768)]);
  const [cut = '', whole = ''] = log.lines;
  expect(cut).toBe(`[WARN] a ${'€'.repeat(10_922)} (truncated due to length)`);
  expect(whole).toBe(`[WARN] ${'x'.repeat(32_768)}`);
});

test('lines of a called action keep their level and count like others', () => {
  const log = new LogLines();
  log.addLines(['[INFO] two\nlines', '[ERROR] bad']);
  expect(log.lines).toEqual(['[INFO] two\nlines', '[ERROR] bad']);
});

test('console timers report the time between, and misuse', () => {
  const log = new LogLines();
  log.startTimer('t', 10);
  log.startTimer('t', 11);
  log.reportTimer('t', 15.4, ["'more'"], false);
  log.reportTimer('t', 20, [], true);
  log.reportTimer('t', 21, [], true);
  expect(log.lines).toEqual([
    "[WARN] Timer 't' already exists",
    "[INFO] t: 5ms 'more'",
    '[INFO] t: 10ms',
    "[WARN] Timer 't' does not exist",
  ]);
});
