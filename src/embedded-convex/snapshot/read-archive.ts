import { openAsBlob } from 'node:fs';
import { BlobReader, configure, ZipReader } from '@zip.js/zip.js';
import type { FileEntry } from '@zip.js/zip.js';
import { SnapshotError } from './snapshot-error.ts';

export interface ArchivedTable {
  name: string;
  /** Whether numbers without a point are int64, as in all newer exports. */
  isUniform: boolean;
  /** Its documents, as text. */
  lines(): AsyncGenerator<string>;
}

export interface Archive {
  /** What the archive says of the numbers in the ids of its tables. */
  numbers: Map<string, number>;
  tables: ArchivedTable[];
  close(): Promise<void>;
}

/** Opens a ZIP in the layout of Convex's exports. Throws a `SnapshotError` when it is none. */
export async function readArchive(path: string): Promise<Archive> {
  configure({ useWebWorkers: false });
  const zip = new ZipReader(new BlobReader(await openAsBlob(path)));
  try {
    const files = new Map<string, FileEntry>();
    for (const entry of await zip.getEntries()) {
      if (!entry.directory) files.set(entry.filename, entry);
    }
    const tables: ArchivedTable[] = [];
    for (const [name, entry] of files) {
      // Convex's own reader ignores a folder around all as well.
      const [, around = '', table] = /^(.*\/)?([^/]+)\/documents\.jsonl$/.exec(name) ?? [];
      if (table === undefined || table.startsWith('_')) continue;
      const schema = files.get(`${around}${table}/generated_schema.jsonl`);
      const isUniform = schema !== undefined && (await isUniformMark(schema));
      tables.push({ name: table, isUniform, lines: () => linesOf(entry) });
    }
    const list = [...files].find(([name]) => /(^|\/)_tables\/documents\.jsonl$/.test(name));
    if (tables.length === 0 && list === undefined) {
      throw invalid('it has no <table>/documents.jsonl, so it is no export of Convex');
    }
    const numbers = list === undefined ? new Map<string, number>() : await readNumbers(list[1]);
    return { numbers, tables, close: () => zip.close() };
  } catch (error) {
    await zip.close();
    if (error instanceof SnapshotError) throw error;
    throw invalid(`it is no ZIP file (${String(error)})`, error);
  }
}

async function readNumbers(entry: FileEntry): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  for await (const line of linesOf(entry)) {
    const row: unknown = JSON.parse(line);
    const { name, id } = Object(row) as { name?: unknown; id?: unknown }; // both are checked
    if (typeof name !== 'string' || typeof id !== 'number') {
      throw invalid(`_tables/documents.jsonl has a line without "name" and "id": ${line}`);
    }
    numbers.set(name, id);
  }
  return numbers;
}

async function isUniformMark(entry: FileEntry): Promise<boolean> {
  for await (const line of linesOf(entry)) {
    if (line === '"uniform"') return true;
    throw invalid('it was exported by a Convex before 2025; export it once more with a newer one');
  }
  return false;
}

/** Not `readline`: that takes U+2028 for the end of a line, which JSON text may hold. */
async function* linesOf(entry: FileEntry): AsyncGenerator<string> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const written = entry.getData(writable);
  // Whoever reads is told by the stream as well.
  written.catch(() => undefined);
  let rest = '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of readable) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
  await written;
}

function invalid(reason: string, cause?: unknown): SnapshotError {
  const message = `The file cannot be imported: ${reason}`;
  return new SnapshotError('SnapshotInvalid', message, { cause });
}
