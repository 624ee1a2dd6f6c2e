/** What a campaign does to its runs, drawn from the seed: the same plan for the same seed. */
import type { SeededRandom } from '../crash-swarm/seeded-random.ts';
import {
  fail,
  hangUp,
  hold,
  patch,
  plan,
  reason,
  refuse,
  say,
  shell,
  type Reply,
} from '../scripted-model/script.ts';

/** How far a run is when something befalls it. */
export type Moment =
  | 'submitted'
  | 'spawned'
  | 'in its turn'
  /** In the middle of a stream that stands still, or of a command that never ends. */
  | 'inside';

export type Fate =
  | { do: 'nothing' }
  | {
      /**
       * By a client, by an app in Convex, or by `kill -9`: of Codex as a whole, or of the process
       * that the bridge has started, which may be but its launcher (as npm installs it).
       */
      do: 'interrupt' | 'cancel' | 'kill codex' | 'kill launcher';
      when: Moment;
      delayMs: number;
    };

export interface PlannedRun {
  /** Names the run in the model's requests and in the rows. */
  prompt: string;
  /** The number of its thread; the session of an earlier run of it is gone on with. */
  thread: number;
  via: 'socket' | 'app';
  replies: readonly Reply[];
  /** Where its stream stands still until its fate has come. */
  gate?: string;
  /** In the command that never ends, which is found by it. */
  sleeps?: number;
  /** How it ends when nothing befalls it. */
  ends: 'done' | 'error';
  fate: Fate;
}

export interface Round {
  /** Submitted at once. */
  runs: PlannedRun[];
  /** What befalls the bridge, when the named run is so far. */
  bridge?: { signal: 'SIGKILL' | 'SIGTERM'; run: number; when: Moment; delayMs: number };
}

/** The bridge is killed in the first half only: the second is one life of it. */
export function planCampaign(random: SeededRandom, count: number): Round[] {
  const rounds: Round[] = [];
  const draw = { story: deck(random, STORIES), fate: deck(random, FATES) };
  const threads = Math.max(2, Math.ceil(count / 6));
  let planned = 0;
  while (planned < count) {
    const size = Math.min(count - planned, random.between(1, 5));
    const runs = Array.from({ length: size }, (_, index) => {
      const thread = random.between(0, threads - 1);
      return drawRun(random, draw, planned + index, thread);
    });
    const isKilled = planned < count / 2 && (rounds.length === 1 || random.next() < 0.25);
    rounds.push({ runs, ...(isKilled ? { bridge: drawBridge(random, runs) } : {}) });
    planned += size;
  }
  return rounds;
}

/** Names of what a run does, each as often as it comes in a deck. */
const STORIES = [
  'answers',
  'uses tools',
  'uses tools',
  'stands still',
  'stands still',
  'never ends',
  'fails',
  'is refused',
  'is cut off',
] as const;

const FATES = [
  'nothing',
  'nothing',
  'nothing',
  'interrupt',
  'interrupt',
  'cancel',
  'kill codex',
  'kill launcher',
] as const;

const MOMENTS = ['submitted', 'spawned', 'in its turn', 'inside'] as const;

function drawRun(
  random: SeededRandom,
  draw: { story: () => (typeof STORIES)[number]; fate: () => (typeof FATES)[number] },
  number: number,
  thread: number,
): PlannedRun {
  const story = draw.story();
  const told = storyOf(story, number);
  const drawn = draw.fate();
  const fate = drawn === 'nothing' && told.sleeps !== undefined ? 'interrupt' : drawn;
  return {
    prompt: `Run #${number}# ${story}.`,
    thread,
    via: random.next() < 0.7 ? 'socket' : 'app',
    ...told,
    fate:
      fate === 'nothing'
        ? { do: fate }
        : { do: fate, when: random.pick(MOMENTS), delayMs: random.between(0, 300) },
  };
}

function storyOf(
  story: (typeof STORIES)[number],
  number: number,
): Pick<PlannedRun, 'replies' | 'ends' | 'gate' | 'sleeps'> {
  const gate = `gate ${number}`;
  // Longer than any test, and no other process sleeps as long.
  const sleeps = 100_000 + number;
  switch (story) {
    case 'answers':
      return { ends: 'done', replies: [[reason('**Easy**'), say(`Answer ${number}.`)]] };
    case 'uses tools':
      return {
        ends: 'done',
        replies: [
          [
            say('I look.'),
            plan({ look: 'in_progress' }),
            shell(`echo ${number}; exit ${number % 3}`),
          ],
          [patch(`*** Add File: note-${number}.txt`, '+one')],
          [say(`Done ${number}.`)],
        ],
      };
    case 'stands still':
      return {
        ends: 'done',
        gate,
        replies: [[reason('Hm.'), say('Begun.'), hold(gate), say(`Ended ${number}.`)]],
      };
    case 'never ends':
      return {
        ends: 'done',
        sleeps,
        replies: [[say('I wait.'), shell(`sleep ${sleeps} & sleep ${sleeps}`, 60_000)], [say('!')]],
      };
    case 'fails':
      return { ends: 'error', replies: [[say('I try.'), fail('the model broke')]] };
    case 'is refused':
      return { ends: 'error', replies: [[refuse(400, 'no such model')]] };
    case 'is cut off':
      return { ends: 'error', replies: [[say('Half of'), hangUp()]] };
    default:
      return story satisfies never;
  }
}

function drawBridge(
  random: SeededRandom,
  runs: readonly PlannedRun[],
): NonNullable<Round['bridge']> {
  return {
    signal: random.next() < 0.8 ? 'SIGKILL' : 'SIGTERM',
    run: random.between(0, runs.length - 1),
    when: random.pick(MOMENTS),
    delayMs: random.between(0, 300),
  };
}

/** Deals all cards in a random order, then all again: in few runs each comes up too. */
function deck<Card>(random: SeededRandom, cards: readonly Card[]): () => Card {
  let left: Card[] = [];
  return () => {
    if (left.length === 0) left = [...cards];
    const [card] = left.splice(random.between(0, left.length - 1), 1);
    // There is one: an empty deck was just filled.
    return card as Card;
  };
}
