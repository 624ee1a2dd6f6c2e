/** A recording against the machines of this version. */
import { allMachines } from './machines/all-machines.ts';
import type { Recording } from './recording/recording-file.ts';
import { replay, type Replay } from './recording/replay.ts';

export type { Replay, ReplayStep } from './recording/replay.ts';

export function replayRecording(recording: Recording): Replay {
  return replay(recording, allMachines);
}
