import * as fc from 'fast-check';
import type { DocValue } from '../../../src/embedded-convex/doc.ts';
import type { SchemaJson } from '../../../src/embedded-convex/schema.ts';
import { indexes } from './naive-database.ts';
import type { Bound, Scan } from './naive-database.ts';

/** The table `t` with its indexes; documents are not checked. */
export const programSchema: SchemaJson = {
  tables: [
    {
      tableName: 't',
      indexes: Object.entries(indexes)
        .filter(([, fields]) => fields.length > 0)
        .map(([indexDescriptor, fields]) => ({ indexDescriptor, fields })),
      documentType: { type: 'any' },
    },
  ],
  schemaValidation: false,
};

/** Few values, so that documents collide; of all types, so that order matters. */
const value = fc.constantFrom(undefined, null, 0, -0, 1, 1n, -300n, 'x', 'x\0', '', 'y', true, [1]);

const fields: fc.Arbitrary<DocValue> = fc.record(
  { a: value, b: value, c: fc.oneof(value, fc.record({ d: value })) },
  { requiredKeys: [] },
);

const bound: fc.Arbitrary<Bound | null> = fc.option(fc.record({ value, inclusive: fc.boolean() }));

export const scan: fc.Arbitrary<Scan> = fc
  .constantFrom(...Object.keys(indexes).filter((name) => name !== 'by_creation_time'))
  .chain((index) =>
    fc.record({
      index: fc.constant(index),
      equal: fc.array(value, { maxLength: indexes[index]?.length ?? 0 }),
      lower: bound,
      upper: bound,
      order: fc.constantFrom('asc' as const, 'desc' as const),
    }),
  )
  // Behind the index's own fields come `_creationTime` and `_id`: no bounds there.
  .map((made) =>
    made.equal.length < (indexes[made.index]?.length ?? 0)
      ? made
      : { ...made, lower: null, upper: null },
  );

/** `pick` names one of the documents there are, counted round. */
export type Step =
  | { do: 'insert'; fields: DocValue }
  | { do: 'patch'; pick: number; fields: DocValue }
  | { do: 'replace'; pick: number; fields: DocValue }
  | { do: 'remove'; pick: number }
  | { do: 'get'; pick: number }
  | { do: 'scan'; scan: Scan }
  | { do: 'open'; scan: Scan }
  | { do: 'advance'; pick: number }
  | { do: 'savepoint' }
  | { do: 'rollback' }
  | { do: 'release' };

const pick = fc.nat(50);

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('insert' as const), fields }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('patch' as const), pick, fields }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('replace' as const), pick, fields }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('get' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('scan' as const), scan }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('open' as const), scan }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('savepoint' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rollback' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
);

/** Some transactions, each committed or given up. */
export const program = fc.array(
  // `max`: the usual preference for short lists would hardly ever combine three rare steps.
  fc.record({ steps: fc.array(step, { maxLength: 25, size: 'max' }), commit: fc.boolean() }),
  { minLength: 1, maxLength: 5 },
);
