import type { DocumentTable } from '../document-table.ts';
import { everything } from '../index-range.ts';
import type { KeyInterval } from '../index-range.ts';
import type { ScannedDocument } from '../index-scan.ts';
import type { Usage } from '../limits.ts';
import type { Overlay } from '../overlay.ts';
import type { ReadRecorder } from '../read-set.ts';
import { encodeKey } from '../values/keys.ts';
import { TextSearchScan } from './text-search-scan.ts';
import type { TextSearch } from './text-search-scan.ts';

interface TransactionParts {
  documents: DocumentTable;
  overlay: Overlay;
  reads: ReadRecorder;
  usage: Usage;
}

/** A search inside a transaction: what it finds counts as read, like the whole index. */
export function openTextSearch(
  search: TextSearch,
  interval: KeyInterval,
  { documents, overlay, reads, usage }: TransactionParts,
): { next(): ScannedDocument | null; close(): void } {
  // Every document counts in the rank of each, so any change may change what is found.
  reads.interval(search.index.qualifiedName, everything);
  const scan = new TextSearchScan(documents, overlay, search, interval);
  const [byIdIndex] = search.table.indexes;
  if (byIdIndex === undefined) throw new Error(`${search.table.name} has no indexes`);
  return {
    next: () => {
      const found = scan.next();
      if (found === null) return null;
      reads.point(byIdIndex.qualifiedName, encodeKey([found.doc.id]));
      usage.read(found.doc.size);
      return found;
    },
    close: () => {},
  };
}
