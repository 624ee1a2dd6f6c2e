/** All actors as a tree that fits a terminal. Pure. */
import { styleText } from 'node:util';
import type { BridgeStatusFrame } from '../control/frames.ts';
import { duration, table } from './table.ts';

type ActorItem = BridgeStatusFrame['actors'][number];

/** Of these there can be hundreds that do the same; together they are one line. */
const MANY: ReadonlySet<string> = new Set(['tail', 'clientConnection']);
/** Characters of a name, and of what stands before it. */
const MOST_NAME = 26;
/** Of a name that is cut, what stays of its beginning; its end tells session files apart. */
const BEGINNING = 9;

/** @param all each in a line of its own, by its whole name */
export function actorLines(actors: readonly ActorItem[], all = false): string[] {
  const now = Date.now();
  const rows = asTree(actors, !all).map(({ actor, count, level }) => {
    const name = `${'  '.repeat(level)}${actor.id}`;
    return {
      cells: [
        count > 1 ? `${'  '.repeat(level)}${count} × ${actor.machine}` : all ? name : short(name),
        actor.machine,
        actor.state,
        duration(now - actor.since),
        String(actor.restarts),
      ],
      trouble: actor.lastError && `${'  '.repeat(level + 1)}${styleText('red', actor.lastError)}`,
    };
  });
  const [header = '', ...lines] = table(
    ['ACTOR', 'MACHINE', 'STATE', 'SINCE', 'RESTARTS'],
    rows.map(({ cells }) => cells),
  );
  const withTrouble = lines.flatMap((line, at) => [line, rows[at]?.trouble ?? []].flat());
  return [header, ...withTrouble];
}

function short(name: string): string {
  return name.length <= MOST_NAME
    ? name
    : `${name.slice(0, BEGINNING)}…${name.slice(BEGINNING + 1 - MOST_NAME)}`;
}

interface Line {
  actor: ActorItem;
  /** Of how many it speaks. */
  count: number;
  level: number;
}

/** Each below what has started it. What has come to its end well is left out. */
function asTree(actors: readonly ActorItem[], joins: boolean): Line[] {
  const shown = actors.filter(({ status, lastError }) => status === 'active' || lastError !== null);
  const known = new Set(shown.map(({ sessionId }) => sessionId));
  const children = Map.groupBy(shown, ({ parentId }) =>
    parentId !== null && known.has(parentId) ? parentId : null,
  );
  const below = (parent: string | null, level: number): Line[] => {
    const siblings = children.get(parent) ?? [];
    const alike = Map.groupBy(siblings, (actor) => (joins ? likeness(actor) : null));
    return siblings.flatMap((actor): Line[] => {
      const key = likeness(actor);
      const group = (joins && key !== null && alike.get(key)) || [actor];
      if (group.length === 1)
        return [{ actor, count: 1, level }, ...below(actor.sessionId, level + 1)];
      return group[0] === actor ? [{ actor: oldest(group), count: group.length, level }] : [];
    });
  };
  return below(null, 0);
}

/** Null of what is shown by itself: what there is one of, and what has something to tell. */
function likeness({ machine, state, lastError, restarts }: ActorItem): string | null {
  return MANY.has(machine) && lastError === null && restarts === 0 ? `${machine} ${state}` : null;
}

function oldest(group: readonly ActorItem[]): ActorItem {
  return group.reduce((one, other) => (other.since < one.since ? other : one));
}
