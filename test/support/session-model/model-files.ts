/**
 * A Codex home and a simple model of it, side by side: what is done to one is done to the
 * other. The model is a map of paths to contents.
 */
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import type { Author, ModelSession } from './author.ts';
import { expectedFile, type ExpectedFile } from './expected-file.ts';
import type { ModelRow } from './line-book.ts';

export interface ModelFile {
  path: string;
  session: ModelSession;
  /** Of the lines, also when it is compressed. */
  content: Buffer;
  /** The whole line of which only the beginning stands at the end of the file. */
  torn: Buffer | null;
}

/** Rows by thread and key. */
export type ThreadRows = Map<string, Map<string, ModelRow>>;

export class ModelFiles {
  readonly root: string;
  readonly author: Author;
  readonly all = new Map<string, ModelFile>();
  /** Every row that any state of any file held since the last check: it may have been seen. */
  possible: ThreadRows = new Map();
  /** Threads of whose files one changed since the last check. */
  readonly touched = new Set<string>();
  readonly #expected = new WeakMap<Buffer, ExpectedFile>();
  #replacements = 0;

  constructor(codexHome: string, author: Author) {
    this.root = codexHome;
    this.author = author;
    mkdirSync(join(codexHome, 'archived_sessions'), { recursive: true });
  }

  /** Those that are mirrored: beside a plain file its compressed sibling is not. */
  followed(): ModelFile[] {
    return [...this.all.values()].filter(
      ({ path }) => !isCompressed(path) || !this.all.has(path.slice(0, -'.zst'.length)),
    );
  }

  expected(file: ModelFile): ExpectedFile {
    const known = this.#expected.get(file.content);
    if (known !== undefined) return known;
    const fresh = expectedFile(this.author.book, file.content, file.session.threadId);
    this.#expected.set(file.content, fresh);
    return fresh;
  }

  /** Forgets what may have been: all that is mirrored is what the files hold, and what is known. */
  forgetPast(): void {
    this.possible = new Map();
    this.touched.clear();
    for (const file of this.all.values()) this.#note(file);
    this.touched.clear();
  }

  pathIn(folder: string, session: ModelSession, at = session.createdAt): string {
    const stamp = new Date(at).toISOString().slice(0, 19).replaceAll(':', '-');
    return join(folder, `rollout-${stamp}-${session.threadId}.jsonl`);
  }

  dayFolder(at: number): string {
    return join(this.root, 'sessions', ...new Date(at).toISOString().slice(0, 10).split('-'));
  }

  get archive(): string {
    return join(this.root, 'archived_sessions');
  }

  create(path: string, session: ModelSession, content: Buffer): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytesOf(path, content));
    this.#set({ path, session, content, torn: null });
  }

  /** In one write for each piece, as Codex does. */
  append(file: ModelFile, pieces: readonly Buffer[], torn: Buffer | null = null): void {
    for (const piece of pieces) appendFileSync(file.path, piece);
    this.#set({ ...file, content: Buffer.concat([file.content, ...pieces]), torn });
  }

  truncate(file: ModelFile, length: number): void {
    truncateSync(file.path, length);
    this.#set({ ...file, content: Buffer.from(file.content.subarray(0, length)), torn: null });
  }

  /** With other bytes under the same name. `inPlace`: and under the same inode. */
  rewrite(file: ModelFile, content: Buffer, inPlace: boolean): void {
    if (inPlace) writeFileSync(file.path, content);
    else this.#replace(file.path, content);
    this.#set({ ...file, content, torn: null });
  }

  move(file: ModelFile, path: string): void {
    mkdirSync(dirname(path), { recursive: true });
    renameSync(file.path, path);
    this.all.delete(file.path);
    this.#set({ ...file, path });
  }

  /** The same lines under another name, and by way of a temporary file under another inode. */
  copy(file: ModelFile, path: string): void {
    mkdirSync(dirname(path), { recursive: true });
    this.#replace(path, bytesOf(path, file.content));
    this.#set({ ...file, path });
  }

  remove(file: ModelFile): void {
    rmSync(file.path);
    this.all.delete(file.path);
    this.touched.add(this.expected(file).threadId);
  }

  #replace(path: string, bytes: Buffer): void {
    this.#replacements += 1;
    const temporary = join(dirname(path), `.${basename(path)}.${this.#replacements}.tmp`);
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  }

  #set(file: ModelFile): void {
    this.all.set(file.path, file);
    this.#note(file);
  }

  #note(file: ModelFile): void {
    const { threadId, rows } = this.expected(file);
    this.touched.add(threadId);
    const possible = this.possible.get(threadId) ?? new Map<string, ModelRow>();
    this.possible.set(threadId, possible);
    for (const [key, row] of rows) if (!possible.has(key)) possible.set(key, row);
  }
}

export function isCompressed(path: string): boolean {
  return path.endsWith('.zst');
}

function bytesOf(path: string, content: Buffer): Buffer {
  return isCompressed(path) ? zstdCompressSync(content) : content;
}
