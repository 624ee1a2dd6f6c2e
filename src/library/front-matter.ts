/**
 * The YAML block between two `---` lines at the head of a Markdown file, as Jekyll
 * introduced it and SKILL.md files use it. Pure.
 */
import { isMap, LineCounter, parseDocument, type Document, type YAMLMap } from 'yaml';
import type { z } from 'zod';
import type { FileProblem } from './file-problem.ts';

export interface FrontMatter {
  /** Keeps comments, order and unknown keys, so that it can be written back. */
  document: Document.Parsed<YAMLMap.Parsed>;
  /** What stands behind the block, byte for byte. */
  body: string;
  /** Where a key stands, or the start of the block when it does not. Lines and columns from 1. */
  positionOf(path: readonly PropertyKey[]): { line: number; column: number };
}

export type Parsed<Value> = { ok: true; value: Value } | { ok: false; problems: FileProblem[] };

/** The block, or what is wrong with it. A byte order mark and CRLF are taken as they come. */
export function readFrontMatter(text: string): Parsed<FrontMatter> {
  const block = BLOCK.exec(text);
  if (block === null)
    return failed(1, 1, 'the file does not begin with a block between "---" lines');
  const [whole, head = '', yaml = ''] = block;
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    // One line for the opening "---"; the counter starts at 1, or at 0 before the first line.
    return { line: Math.max(1, line) + 1, column: Math.max(1, col) };
  };
  const problems = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    ...at(pos[0]),
    message: message.split('\n', 1)[0] ?? message,
  }));
  if (problems.length > 0) return { ok: false, problems };
  if (!isMap(document.contents)) return failed(2, 1, 'the block must hold "key: value" lines');
  const start = head.length;
  return {
    ok: true,
    value: {
      // Shown to be a map right above.
      document: document as FrontMatter['document'],
      body: text.slice(start + whole.length - head.length),
      positionOf: (path) => at(offsetOf(document, path)),
    },
  };
}

/** The block checked against a schema; each issue with the place of its key. */
export function checkFrontMatter<Schema extends z.ZodType>(
  matter: FrontMatter,
  schema: Schema,
): Parsed<z.output<Schema>> {
  const value = plainValue(matter.document);
  if (!value.ok) return value;
  const parsed = schema.safeParse(value.value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const problems = parsed.error.issues.map((issue) => ({
    ...matter.positionOf(issue.path),
    message: `${issue.path.join('.') || 'the block'}: ${explain(issue)}`,
  }));
  return { ok: false, problems: problems.sort((one, other) => one.line - other.line) };
}

function plainValue(document: Document): Parsed<unknown> {
  try {
    return { ok: true, value: document.toJS() };
  } catch (error) {
    // Aliases that would unfold into more than fits.
    return failed(2, 1, error instanceof Error ? error.message : String(error));
  }
}

/** "a, b or c" */
const anyOf = new Intl.ListFormat('en-GB', { type: 'disjunction' });

function explain(issue: z.core.$ZodIssue): string {
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  if (isMissing) return 'is required';
  if (issue.code !== 'invalid_value') return issue.message;
  return `must be ${anyOf.format(issue.values.map(String))}`;
}

/** An opening line, what is between, and a closing line with its newline, if it has one. */
const BLOCK = /^(\uFEFF?---[ \t]*\r?\n)([^]*?)(?:^|(?<=\n))---[ \t]*(?:\r?\n|$)/;

function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const node: unknown = document.getIn(path.slice(0, depth), true);
    if (hasRange(node)) return node.range[0];
  }
  return 0;
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}

function failed(line: number, column: number, message: string): Parsed<never> {
  return { ok: false, problems: [{ line, column, message }] };
}
