/** The file of a recording: JSON lines, a header and then what happened, in order. */
import { z } from 'zod';
import { inspectEvent, type InspectEvent } from '../control/inspect-frames.ts';
import { BridgeError } from '../errors.ts';

const recordingHeader = z.object({
  format: z.literal('oa-bridge-recording'),
  /** Of this format. Another one is refused. */
  formatVersion: z.literal(1),
  /** The bridge that was recorded. */
  version: z.string(),
  /** Milliseconds since the epoch. */
  recordedAt: z.number(),
});
export type RecordingHeader = z.infer<typeof recordingHeader>;

/** So many events were left out here: the recorder did not keep up. All actors are told anew behind it. */
const gap = z.object({ type: z.literal('gap'), at: z.number(), dropped: z.int() });

const recordingLine = z.discriminatedUnion('type', [...inspectEvent.options, gap]);
export type RecordingLine = InspectEvent | z.infer<typeof gap>;

export interface Recording {
  header: RecordingHeader;
  lines: { number: number; line: RecordingLine }[];
}

export function headerLine(version: string, recordedAt: number): string {
  const header: RecordingHeader = {
    format: 'oa-bridge-recording',
    formatVersion: 1,
    version,
    recordedAt,
  };
  return `${JSON.stringify(header)}\n`;
}

/** Throws `recording_invalid`, with the number of the line. A last line that is cut off is left out. */
export function parseRecording(text: string): Recording {
  const [first = '', ...rest] = text.split('\n');
  const header = parsed(recordingHeader, first, 1);
  const isCut = rest.at(-1) !== '';
  const whole = rest.slice(0, -1);
  return {
    header,
    lines: [...whole, ...(isCut && isJson(rest.at(-1)) ? rest.slice(-1) : [])].map(
      (line, index) => ({ number: index + 2, line: parsed(recordingLine, line, index + 2) }),
    ),
  };
}

function isJson(line: string | undefined): boolean {
  try {
    JSON.parse(line ?? '');
    return true;
  } catch {
    return false;
  }
}

function parsed<Schema extends z.ZodType>(schema: Schema, line: string, number: number) {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new BridgeError('recording_invalid', `line ${number} is no JSON`, { cause });
  }
  const { success, data, error } = schema.safeParse(json);
  if (success) return data;
  throw new BridgeError('recording_invalid', `line ${number}: ${z.prettifyError(error)}`);
}
