/** The parts of the docs that are made from the code. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { leftOutBecause, type LineRule, lineKinds } from '../src/codex/rollout/line-kinds.ts';
import { settings, type Setting } from '../src/config.ts';
import { catalogue } from '../src/errors.ts';
import { usedKinds } from '../src/secrets/kept-rules.ts';
import { allMachines } from '../src/machines/all-machines.ts';
import { shapeKinds } from '../src/secrets/shapes.ts';

/** Every machine with the file whose header describes its states. */
const MACHINES = allMachines.map((machine) => ({
  file: `${machine.id.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.ts`,
  machine,
}));

export function configurationTable(): string {
  const rows = Object.values(settings).map((setting: Setting) => {
    const flag = setting.flag === undefined ? '' : `\`${setting.flag.replaceAll('|', '\\|')}\``;
    const fallback = setting.default === '' ? '' : `\`${setting.default}\``;
    return `| \`${setting.env}\` | ${flag} | ${fallback} | ${setting.description} |`;
  });
  return ['| variable | flag | default | meaning |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

export function errorsTable(): string {
  const rows = Object.entries(catalogue).map(
    ([code, { retryable, message }]) =>
      `| \`${code}\` | ${message} | ${retryable ? 'yes' : 'no'} |`,
  );
  return ['| code | message | worth trying again |', '| --- | --- | --- |', ...rows].join('\n');
}

export function secretKinds(): string {
  const kinds = new Set([...Object.values(usedKinds), ...shapeKinds, ...OWN_KINDS]);
  return [...kinds]
    .toSorted()
    .map((kind) => `\`${kind}\``)
    .join(', ');
}

/** Known by their values; `src/daemon/own-secrets.ts` names them. */
const OWN_KINDS = ['bridge-token', 'convex-admin-key', 'signing-key'];

export function lineKindsTable(): string {
  const rows = Object.entries<LineRule>(lineKinds).map(([kind, rule]) =>
    'becomes' in rule
      ? `| \`${kind}\` | ${rule.becomes} | |`
      : `| \`${kind}\` | | ${rule.leftOut} |`,
  );
  const reasons = Object.values(leftOutBecause).map((reason) => `- ${reason}`);
  return [
    '| kind of line | becomes | left out, because it is |',
    '| --- | --- | --- |',
    ...rows,
    '',
    'A single line of a kind that becomes something is left out when it is:',
    '',
    ...reasons,
  ].join('\n');
}

export function machinePages(): string {
  return MACHINES.map(({ file, machine }) => {
    const { summary, states } = header(file);
    const rows = statePaths(machine).map((path) => `| \`${path}\` | ${states.get(path) ?? ''} |`);
    return [
      `## ${machine.id}`,
      '',
      `\`src/machines/${file}\`. ${summary}`,
      '',
      '| state | meaning |',
      '| --- | --- |',
      ...rows,
    ].join('\n');
  }).join('\n\n');
}

/** What is wrong with the headers: a state without a line, or a line without a state. */
export function headerProblems(): string[] {
  return MACHINES.flatMap(({ file, machine }) => {
    const described = header(file).states;
    const real = new Set(statePaths(machine));
    return [
      ...[...real]
        .filter((path) => !described.has(path))
        .map((path) => `${file}: no line for ${path}`),
      ...[...described.keys()]
        .filter((path) => !real.has(path))
        .map((path) => `${file}: there is no state ${path}`),
    ];
  });
}

/** Dotted paths of the states that a machine can rest in. */
export function statePaths(machine: AnyStateMachine): string[] {
  const walk = (node: AnyStateNode): string[] => {
    const children = Object.values<AnyStateNode>(node.states);
    return children.length === 0 ? [node.path.join('.')] : children.flatMap(walk);
  };
  return walk(machine.root).filter((path) => path !== '');
}

/** The leading comment: what the machine does, then a line for each state. */
function header(file: string): { summary: string; states: Map<string, string> } {
  const source = readFileSync(
    fileURLToPath(new URL(`../src/machines/${file}`, import.meta.url)),
    'utf8',
  );
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(source)?.[1] ?? '';
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd());
  const states = new Map<string, string>();
  const summary: string[] = [];
  for (const line of lines) {
    const state = /^([a-z][\w.]*)\s{2,}(\S.*)$/i.exec(line);
    if (state?.[1] !== undefined && state[2] !== undefined) states.set(state[1], state[2]);
    else if (states.size === 0 && line !== '') summary.push(line);
  }
  return { summary: summary.join(' '), states };
}
