import type { TableInfo } from './catalog.ts';
import { FunctionError } from './function-error.ts';
import { isSystemTable } from './system-tables.ts';

/** `db.system` has the system tables, `db` all others. */
export function checkTableKind(table: TableInfo, isSystem: boolean): void {
  if (isSystemTable(table) === isSystem) return;
  throw new FunctionError(
    'SystemTableError',
    isSystem
      ? 'User tables cannot be accessed with db.system.'
      : 'System tables can only be accessed with db.system.',
  );
}

/** Of an id that was given together with the name of its table. */
export function checkTable(method: string, requested: string | undefined, actual: string): void {
  if (requested === undefined || requested === actual) return;
  throw invalidId(method, `expected to be an Id<"${requested}">, got Id<"${actual}"> instead.`);
}

export function invalidId(method: string, problem: string): FunctionError {
  return new FunctionError(
    'InvalidArgument',
    `Invalid argument \`id\` for \`${method}\`: ${problem}`,
  );
}
