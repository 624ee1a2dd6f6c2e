/** What Codex, people and accidents do to session files. Each step says what it did. */
import { existsSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { SeededRandom } from '../crash-swarm/seeded-random.ts';
import { isCompressed, type ModelFile, type ModelFiles } from './model-files.ts';

export type FileStep = (files: ModelFiles, random: SeededRandom) => string;

/** Bytes, and files. Beyond, files only shrink and go: each check reads them all. */
const MAX_FILE = 4 * 1_024 * 1_024;
const MAX_FILES = 40;
const NEWLINE = Buffer.from('\n');

/** How often of a hundred steps. */
export const FILE_STEPS: Record<string, { weight: number; step: FileStep }> = {
  create: { weight: 8, step: create },
  append: { weight: 30, step: (files, random) => onPlain(files, random, append) },
  tear: { weight: 10, step: (files, random) => onPlain(files, random, tear) },
  garbage: { weight: 5, step: (files, random) => onPlain(files, random, appendGarbage) },
  truncate: { weight: 6, step: (files, random) => onPlain(files, random, truncate) },
  rewrite: { weight: 5, step: (files, random) => onPlain(files, random, rewrite) },
  rename: { weight: 4, step: (files, random) => onAny(files, random, rename) },
  archive: { weight: 4, step: (files, random) => onAny(files, random, archive) },
  restore: { weight: 4, step: (files, random) => onArchived(files, random, restore) },
  compress: { weight: 4, step: (files, random) => onPlain(files, random, compress) },
  materialise: { weight: 5, step: (files, random) => onCompressed(files, random, materialise) },
  copy: { weight: 3, step: (files, random) => onAny(files, random, copy) },
  delete: { weight: 4, step: (files, random) => onAny(files, random, remove) },
  recreate: { weight: 2, step: (files, random) => onPlain(files, random, recreate) },
  fork: { weight: 4, step: (files, random) => onPlain(files, random, fork) },
  touch: { weight: 2, step: (files, random) => onAny(files, random, touch) },
  oddity: { weight: 1, step: makeOddity },
};

type OnFile = (files: ModelFiles, random: SeededRandom, file: ModelFile) => string;

function create(files: ModelFiles, random: SeededRandom): string {
  if (files.all.size >= MAX_FILES) return onAny(files, random, remove);
  const { author } = files;
  const session = author.begin();
  // Some by a CLI that was started days ago, whose folder nobody has looked at for long.
  const day = random.next() < 0.7 ? session.createdAt : session.createdAt - 86_400_000;
  const path = files.pathIn(files.dayFolder(day), session);
  const mark = random.next() < 0.05 ? Buffer.from('\uFEFF') : Buffer.alloc(0);
  const lines = [author.meta(session), ...author.turn(session, 1)];
  files.create(path, session, Buffer.concat([mark, joined(lines)]));
  return `create ${session.generation} ${path}`;
}

function append(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  if (file.content.length > MAX_FILE) return truncate(files, random, file);
  const [how, pieces] = mended(random, file);
  const turns = random.next() < 0.15 ? random.between(5, 30) : random.between(1, 2);
  const end = random.next() < 0.04 ? Buffer.from('\r\n') : NEWLINE;
  for (let turn = 0; turn < turns; turn += 1) {
    const lines = files.author.turn(file.session, countLines(file.content) + pieces.length);
    pieces.push(...lines.map((line) => Buffer.concat([line, end])));
  }
  files.append(file, random.next() < 0.8 ? pieces : [Buffer.concat(pieces)]);
  return `append ${how}${turns} turns to ${file.path}`;
}

/** What comes first where the file ends in the middle of a line. */
function mended(random: SeededRandom, { content, torn, session }: ModelFile): [string, Buffer[]] {
  if (content.length === 0 || content.at(-1) === 10) return ['', []];
  const choice = random.next();
  if (torn !== null && choice < 0.4) {
    const start = content.lastIndexOf(10) + 1;
    const rest = torn.subarray(content.length - start);
    return ['the rest, ', [Buffer.concat([rest, NEWLINE])]];
  }
  if (torn !== null && choice < 0.7) return ['the line again, ', [Buffer.concat([torn, NEWLINE])]];
  // The oldest generation's lines have no beginning by which they are known.
  if (choice < 0.85 && session.generation !== 'bare') return ['glued, ', []];
  return ['a newline, ', [NEWLINE]];
}

/** A turn whose last line is written only in part. */
function tear(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  if (file.content.length > MAX_FILE) return truncate(files, random, file);
  const [how, pieces] = mended(random, file);
  const lines = files.author.turn(file.session, countLines(file.content) + pieces.length);
  const whole = lines.splice(random.between(0, lines.length - 1)).at(0);
  if (whole === undefined) return 'nothing';
  const length = random.between(1, whole.length - 1);
  const torn = whole.subarray(0, length);
  pieces.push(...lines.map((line) => Buffer.concat([line, NEWLINE])), torn);
  // Behind a torn line that stays, this one's whole text is not what will stand there.
  files.append(file, pieces, how === 'glued, ' && lines.length === 0 ? null : whole);
  return `tear ${how}at ${length} of ${whole.length} in ${file.path}`;
}

function appendGarbage(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  const [how, pieces] = mended(random, file);
  // Glued to a torn line, bytes that nobody knows are a part of that.
  const before = how === 'glued, ' ? [NEWLINE] : pieces;
  const lines = Array.from({ length: random.between(1, 3) }, () =>
    random.next() < 0.2
      ? Buffer.from('  ')
      : files.author.garbage(file.session, countLines(file.content)),
  );
  files.append(file, [...before, ...lines.map((line) => Buffer.concat([line, NEWLINE]))]);
  return `garbage in ${file.path}`;
}

function truncate(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  const ends = lineEnds(file.content);
  const atEnd = ends[random.between(0, Math.max(0, ends.length - 1))] ?? 0;
  const length = random.next() < 0.5 ? atEnd : random.between(0, file.content.length);
  files.truncate(file, Math.min(length, file.content.length));
  return `truncate ${file.path} to ${length}`;
}

/** Keeps its first lines, or all turns but some, or none; and goes on differently. */
function rewrite(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  const { author } = files;
  const lines = split(file.content);
  const choice = random.next();
  const kept =
    choice < 0.3
      ? lines.slice(0, random.between(0, lines.length))
      : choice < 0.7
        ? withoutTurns(files, random, lines)
        : lines.slice(0, 1);
  const added = author.turn(file.session, kept.length);
  const inPlace = random.next() < 0.4;
  files.rewrite(file, joined([...kept, ...added]), inPlace);
  return `rewrite ${inPlace ? 'in place' : 'by rename'} ${file.path} with ${kept.length} of ${lines.length} lines`;
}

function withoutTurns(files: ModelFiles, random: SeededRandom, lines: Buffer[]): Buffer[] {
  const starts = lines.flatMap((line, index) => (files.author.beginsTurn(line) ? [index] : []));
  const from = random.between(0, Math.max(0, starts.length - 1));
  const to = random.between(from, starts.length);
  return [
    ...lines.slice(0, starts[from] ?? lines.length),
    ...lines.slice(starts[to] ?? lines.length),
  ];
}

function rename(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  const folder = files.dayFolder(files.author.now - random.between(0, 3) * 86_400_000);
  return moveTo(files, file, join(folder, basename(file.path)));
}

function archive(files: ModelFiles, _: SeededRandom, file: ModelFile): string {
  return moveTo(files, file, join(files.archive, basename(file.path)));
}

function restore(files: ModelFiles, _: SeededRandom, file: ModelFile): string {
  const folder = files.dayFolder(file.session.createdAt);
  return moveTo(files, file, join(folder, basename(file.path)));
}

function moveTo(files: ModelFiles, file: ModelFile, path: string): string {
  if (files.all.has(path)) return `nothing: ${path} is there`;
  files.move(file, path);
  return `move ${file.path} to ${path}`;
}

function compress(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  files.copy({ ...file, torn: null }, `${file.path}.zst`);
  // Perhaps Codex is killed in between.
  const both = random.next() < 0.15;
  if (!both) files.remove(file);
  return `compress ${file.path}${both ? ', and keep it' : ''}`;
}

function materialise(files: ModelFiles, _: SeededRandom, file: ModelFile): string {
  const path = file.path.slice(0, -'.zst'.length);
  if (files.all.has(path)) {
    files.remove(file);
    return `remove ${file.path} beside the plain one`;
  }
  files.copy(file, path);
  files.remove(file);
  return `materialise ${path}`;
}

function copy(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  if (files.all.size >= MAX_FILES) return remove(files, random, file);
  const ending = isCompressed(file.path) ? '.zst' : '';
  const folder = files.dayFolder(files.author.now - random.between(0, 3) * 86_400_000);
  const path =
    random.next() < 0.5
      ? join(folder, basename(file.path))
      : files.pathIn(dirname(file.path), file.session, files.author.now) + ending;
  if (files.all.has(path)) return `nothing: ${path} is there`;
  files.copy(file, path);
  return `copy ${file.path} to ${path}`;
}

function remove(files: ModelFiles, _: SeededRandom, file: ModelFile): string {
  files.remove(file);
  return `delete ${file.path}`;
}

/** Another file under the same name, and on many file systems under the same inode. */
function recreate(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  files.remove(file);
  const lines = [files.author.meta(file.session), ...files.author.turn(file.session, 1)];
  files.create(file.path, file.session, joined(lines));
  if (random.next() < 0.5) return `recreate ${file.path}`;
  const again = files.all.get(file.path);
  return again === undefined ? '' : `recreate, ${append(files, random, again)}`;
}

function fork(files: ModelFiles, random: SeededRandom, file: ModelFile): string {
  const { author } = files;
  const known = split(file.content).flatMap((line) => {
    const meaning = author.book.meaning(line);
    return meaning === undefined || meaning.is === 'unknown' ? [] : [{ line, meaning }];
  });
  const isFork = file.session.generation !== 'bare' && known[0]?.meaning.is === 'meta';
  if (!isFork || files.all.size >= MAX_FILES) return append(files, random, file);
  const count = random.between(1, known.length);
  const lines = known.slice(0, count).map(({ line }) => line);
  const [session, copied] = author.fork(file.session, lines);
  const own = author.turn(session, copied.length);
  const path = files.pathIn(files.dayFolder(session.createdAt), session);
  files.create(path, session, joined([...copied, ...own]));
  return `fork ${file.path} as ${path}`;
}

function touch(_: ModelFiles, random: SeededRandom, file: ModelFile): string {
  const at = Date.now() / 1_000 - random.between(0, 100_000);
  utimesSync(file.path, at, at);
  return `touch ${file.path}`;
}

/** What is named like a session, and must be neither followed nor opened. */
function makeOddity(files: ModelFiles, random: SeededRandom): string {
  const folder = files.dayFolder(files.author.now);
  mkdirSync(folder, { recursive: true });
  const path = files.pathIn(folder, files.author.begin());
  const target = [...files.all.keys()].at(random.between(0, files.all.size));
  if (target === undefined || existsSync(path)) mkdirSync(path, { recursive: true });
  else symlinkSync(target, path);
  return `oddity ${path}`;
}

function onPlain(files: ModelFiles, random: SeededRandom, step: OnFile): string {
  return onOneOf(files, random, step, ({ path }) => !isCompressed(path));
}

function onCompressed(files: ModelFiles, random: SeededRandom, step: OnFile): string {
  return onOneOf(files, random, step, ({ path }) => isCompressed(path));
}

function onArchived(files: ModelFiles, random: SeededRandom, step: OnFile): string {
  return onOneOf(files, random, step, ({ path }) => dirname(path) === files.archive);
}

function onAny(files: ModelFiles, random: SeededRandom, step: OnFile): string {
  return onOneOf(files, random, step, () => true);
}

/** Half of the time one of the files that came last: those that people work on. */
function onOneOf(
  files: ModelFiles,
  random: SeededRandom,
  step: OnFile,
  fits: (file: ModelFile) => boolean,
): string {
  const [first, ...others] = [...files.all.values()].filter(fits).toReversed();
  if (first === undefined) return create(files, random);
  const chosen = random.next() < 0.5 ? [first, ...others.slice(0, 3)] : [first, ...others];
  return step(files, random, chosen[random.between(0, chosen.length - 1)] ?? first);
}

function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, NEWLINE]));
}

/** Whole lines, without carriage returns and the mark of an editor. */
function split(content: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = content.indexOf('\uFEFF') === 0 ? 3 : 0;
  for (const end of lineEnds(content)) {
    const line = content.subarray(start, end - 1);
    lines.push(line.at(-1) === 13 ? line.subarray(0, -1) : line);
    start = end;
  }
  return lines;
}

function lineEnds(content: Buffer): number[] {
  const ends: number[] = [];
  for (let at = content.indexOf(10); at !== -1; at = content.indexOf(10, at + 1)) ends.push(at + 1);
  return ends;
}

function countLines(content: Buffer): number {
  return lineEnds(content).length;
}
