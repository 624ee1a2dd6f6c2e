import { indexKeys } from './catalog.ts';
import type { TableInfo } from './catalog.ts';
import { Doc } from './doc.ts';
import type { DocValue } from './doc.ts';
import { withSystemFields } from './document-rules.ts';
import type { Version } from './overlay.ts';

/** Unlike a document of a function: of any size, and in no schema. */
export function systemVersion(
  table: TableInfo,
  id: string,
  creationTime: number,
  value: DocValue,
): Version {
  const doc = Doc.encodeSystem(id, withSystemFields(value, id, creationTime));
  return { doc, keys: indexKeys(table, doc.value) };
}
