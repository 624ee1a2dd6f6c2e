/** `oa-bridge replay`: whether the machines of this version go the way of a recording. */
import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { BridgeError } from '../errors.ts';
import { servePage } from '../inspector-server/serve-page.ts';
import { parseRecording, type RecordingHeader } from '../recording/recording-file.ts';
import { replayRecording, type Replay, type ReplayStep } from '../replay-recording.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { portOf, serveUntilInterrupted } from './inspect.ts';

export interface ReplayFlags {
  inspect?: boolean;
  open?: boolean;
  port: string;
  all?: boolean;
  json?: boolean;
}

/** Exit code 1 when a machine went elsewhere. */
export async function replay(file: string, flags: ReplayFlags): Promise<ExitCode> {
  const recording = parseRecording(readRecording(file));
  const result = replayRecording(recording);
  const different = result.steps.filter(({ recorded }) => recorded !== null);
  if (flags.json === true) {
    const { steps, machines, missing } = result;
    console.log(JSON.stringify({ machines, missing, different: different.length, steps }, null, 2));
  } else {
    for (const step of result.steps) {
      const isChange = step.from !== step.to || step.recorded !== null;
      if (isChange || flags.all === true) console.log(shown(step));
    }
    console.log(summary(recording.header, result, different.length));
  }
  const exitCode = different.length > 0 ? EXIT.failed : EXIT.done;
  if (flags.inspect !== true) return exitCode;
  const events = result.events.map((event) => JSON.stringify(event));
  const served = await servePage({
    port: portOf(flags),
    recording: [JSON.stringify(recording.header), ...events].join('\n'),
  });
  await serveUntilInterrupted(served, `${served.url}#recording`, flags.open ?? false);
  return exitCode;
}

function readRecording(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new BridgeError('recording_invalid', `${file} cannot be read`, { cause });
  }
}

const NAME_WIDTH = 28;

function shown({ at, line, name, event, from, to, recorded, isAfterCut }: ReplayStep): string {
  const time = new Date(at).toISOString().slice(11, 23);
  const way = `${from === null ? '' : `${styleText('dim', `${from} →`)} `}${to}`;
  const text = `${styleText('dim', time)}  ${shortened(name).padEnd(NAME_WIDTH)}  ${way}  ${styleText('dim', event)}`;
  if (recorded === null) return text;
  const why = isAfterCut ? '; what it got was recorded in part only' : '';
  return `${text}\n${styleText('red', `  ✕ line ${line}: recorded was ${recorded}${why}`)}`;
}

function shortened(name: string): string {
  const last = name.split('/').at(-1) ?? name;
  return last.length <= NAME_WIDTH ? last : `${last.slice(0, NAME_WIDTH - 1)}…`;
}

function summary(
  header: RecordingHeader,
  { steps, machines, missing }: Replay,
  different: number,
): string {
  const counted = `${steps.length} events into ${machines} machines of oa-bridge ${header.version}`;
  const lacking = missing > 0 ? `, ${missing} are missing in the recording` : '';
  return different === 0
    ? styleText('green', `${counted}: the same states${lacking}.`)
    : styleText('red', `${counted}: ${different} led elsewhere${lacking}.`);
}
