/** The tables of docs/control-protocol.md, made from the schemas in src/control/. */
import { z } from 'zod';
import * as frames from '../src/control/frames.ts';
import { replies } from '../src/control/replies.ts';
import { controlRequest, type ControlVerb } from '../src/control/requests.ts';

export function protocolTables(): string {
  return [
    '## Verbs',
    '',
    '| verb | fields | reply |',
    '| --- | --- | --- |',
    ...controlRequest.options.map(verbRow),
    '',
    '## Error codes',
    '',
    frames.controlErrorCode.options.map((code) => `\`${code}\``).join(', '),
    '',
    '## Frames',
    '',
    'A trailing `?` marks a field that may be absent.',
    '',
    ...allFrames().flatMap(([type, schema]) => frameSection(type, schema)),
  ]
    .join('\n')
    .trimEnd();
}

function verbRow(option: (typeof controlRequest.options)[number]): string {
  const verb: ControlVerb = option.shape.control.value;
  const { control: _control, 'id?': _id, ...fields } = fieldsOf(option);
  const shown = Object.entries(fields).map(([name, type]) => `\`${name}: ${type}\``);
  return `| \`${verb}\` | ${shown.join('<br>').replaceAll('|', '\\|')} | \`${typesOf(replies[verb]).join('`, `')}\` |`;
}

/** Every frame of the daemon, once, by its type; those that are broadcast say so. */
function allFrames(): [string, z.ZodType][] {
  const shown = new Map<string, z.ZodType>();
  const all = [
    frames.helloFrame,
    frames.errorFrame,
    frames.codexLineFrame,
    ...frames.replyFrame.options,
    ...frames.broadcast.options,
  ];
  for (const schema of all) for (const type of typesOf(schema)) shown.set(type, schema);
  return [...shown].toSorted(([a], [b]) => a.localeCompare(b));
}

function frameSection(type: string, schema: z.ZodType): string[] {
  const isBroadcast = frames.broadcast.options.some((option) => typesOf(option).includes(type));
  const { type: _type, ...fields } = fieldsOf(schema);
  const lines = Object.entries(fields).map(([name, shown]) => `${name}: ${shown}`);
  const note = isBroadcast ? ['Also broadcast, then with `seq` and `ts`.', ''] : [];
  return [`### \`${type}\``, '', ...note, '```ts', ...lines, '```', ''];
}

/** What stands in `type`: one name, or one of several. */
function typesOf(schema: z.ZodType): string[] {
  const type = jsonSchema.parse(z.toJSONSchema(schema, { unrepresentable: 'any' })).properties?.[
    'type'
  ];
  return names.parse(type?.enum ?? [type?.const]);
}

const names = z.array(z.string());

function fieldsOf(schema: z.ZodType): Record<string, string> {
  const shape = jsonSchema.parse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  return fieldsIn(shape);
}

function fieldsIn({ properties = {}, required = [] }: JsonSchema): Record<string, string> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, field]) => [
      required.includes(name) ? name : `${name}?`,
      typeName(field),
    ]),
  );
}

/** As TypeScript would write it, without the limits. */
function typeName(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined)
    return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const union = schema.anyOf ?? schema.oneOf;
  if (union !== undefined) return [...new Set(union.map(typeName))].join(' | ');
  if (schema.$ref !== undefined) return 'json';
  if (schema.type === 'array') {
    const item = schema.items === undefined ? 'json' : typeName(schema.items);
    return item.includes(' | ') ? `(${item})[]` : `${item}[]`;
  }
  if (schema.type === 'object') {
    const fields = Object.entries(fieldsIn(schema)).map(([name, type]) => `${name}: ${type}`);
    return fields.length === 0 ? '{ [name]: json }' : `{ ${fields.join(', ')} }`;
  }
  return [schema.type ?? 'json'].flat().join(' | ');
}

interface JsonSchema {
  type?: string | string[] | undefined;
  const?: unknown;
  enum?: unknown[] | undefined;
  $ref?: string | undefined;
  properties?: Record<string, JsonSchema> | undefined;
  required?: string[] | undefined;
  items?: JsonSchema | undefined;
  anyOf?: JsonSchema[] | undefined;
  oneOf?: JsonSchema[] | undefined;
}

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    type: z.union([z.string(), z.array(z.string())]).optional(),
    enum: z.array(z.unknown()).optional(),
    $ref: z.string().optional(),
    properties: z.record(z.string(), jsonSchema).optional(),
    required: z.array(z.string()).optional(),
    items: jsonSchema.optional(),
    anyOf: z.array(jsonSchema).optional(),
    oneOf: z.array(jsonSchema).optional(),
  }),
);
