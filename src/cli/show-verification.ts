/** What a verification found, for a person. */
import { styleText } from 'node:util';
import type { SessionsDifference, SessionsVerifyFrame } from '../control/verify-frames.ts';
import { printable } from './printable.ts';
import { counted } from './table.ts';

export function showVerification(report: SessionsVerifyFrame): string {
  return [
    ...byFile(report.differences),
    ...more(report),
    ...report.unreadable.files.map(
      ({ path, reason }) => `${red('unreadable')}  ${printable(path)}  ${printable(reason)}`,
    ),
    ...setAside(report),
    ...summary(report),
  ].join('\n');
}

/** Under the file or thread that each is of. */
function byFile(differences: readonly SessionsDifference[]): string[] {
  const groups = Map.groupBy(differences, ({ path, threadId }) => path ?? `thread ${threadId}`);
  return [...groups].flatMap(([place, found]) => [
    styleText('bold', printable(place)),
    ...found.map((difference) => `  ${oneLine(difference)}`),
    '',
  ]);
}

function oneLine({ kind, key, itemKind, field, file, row, repaired }: SessionsDifference): string {
  const name = [red(kind.padEnd(8)), itemKind, key && printable(key), field].filter(
    (part) => part !== undefined,
  );
  const says = [
    ...(file === undefined ? [] : [`file: ${quoted(file)}`]),
    ...(row === undefined ? [] : [`Convex: ${quoted(row)}`]),
    ...(repaired === true ? [styleText('green', 'repaired')] : []),
  ];
  return [...name, ...says].join('  ');
}

function quoted(text: string): string {
  return text === '' ? 'nothing' : printable(JSON.stringify(text));
}

function more({ counts, differences }: SessionsVerifyFrame): string[] {
  const rest = sum(counts) - differences.length;
  return rest > 0 ? [`… and ${rest} more; give a thread to see its own`, ''] : [];
}

function setAside({ setAside: { count, lines } }: SessionsVerifyFrame): string[] {
  if (count === 0) return [];
  const reasons = Map.groupBy(lines, ({ reason }) => reason);
  return [
    `${counted(count, 'line')} set aside that nobody can understand${count > lines.length ? `; of the first ${lines.length}` : ''}:`,
    ...[...reasons].map(
      ([reason, { length }]) => `  ${String(length).padStart(5)}  ${printable(reason)}`,
    ),
    '',
  ];
}

function summary(report: SessionsVerifyFrame): string[] {
  const { state, ok, threads, files, items, rows, counts, behind, repaired, error } = report;
  const lines = [
    [
      `${counted(files.done, 'file')} of ${counted(threads.done, 'thread')}`,
      counted(items, 'item'),
      counted(rows, 'row'),
      `${(report.durationMs / 1000).toFixed(1)} s`,
    ].join(', '),
  ];
  const note = (count: number, text: string) => {
    if (count > 0) lines.push(text);
  };
  note(
    behind.files,
    `${counted(behind.files, 'file')} not read to the end (${counted(behind.bytes, 'byte')}): still being written, or the last line was never finished`,
  );
  note(report.rowsOfRuns, `${counted(report.rowsOfRuns, 'row')} that only runs account for`);
  note(
    report.rowsOfGoneFiles + report.threadsWithoutFile,
    `${counted(report.rowsOfGoneFiles, 'row')} may be of files that are not here any more; ${counted(report.threadsWithoutFile, 'thread')} without a file here`,
  );
  note(
    report.changing,
    `${counted(report.changing, 'thread')} changed all the time; verify again later`,
  );
  const did = entries(repaired);
  note(did.length, `repaired: ${did.join(', ')}`);
  if (error !== undefined) lines.push(red(`${error.message} [${error.code}]`));
  else if (state === 'cancelled') lines.push('cancelled');
  else if (sum(counts) === 0 && ok) lines.push(styleText('green', 'no differences'));
  else
    lines.push((ok ? String : red)(entries(counts).join(', ') || 'not everything could be read'));
  return lines;
}

function entries(counts: Record<string, number>): string[] {
  return Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []));
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function red(text: string): string {
  return styleText('red', text);
}
