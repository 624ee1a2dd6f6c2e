/** The events between the sessions watcher, its tails, and the actors that touch files for them. */
import type { BridgeError, ErrorCode } from '../errors.ts';
import type { ImportCommand, ImportEvent, ImportJob } from './backfill-events.ts';
import type { QuarantinedLine, WriteJob, WriterReply, WriteResult } from './protocol.ts';

/** What is known of all files together; every number is of this very moment. */
export interface FileCounts {
  /** Session files below the root. */
  known: number;
  /** Changed since they were last read to their end. */
  behind: number;
  /** With a tail of their own, because they changed lately or are being read. */
  tailing: number;
  /** Being read right now. */
  reading: number;
  /** With lines that were set aside. */
  quarantined: number;
  /** Committed by this process. */
  bytesRead: number;
  /** Not committed yet, torn last lines included. */
  bytesPending: number;
  /** Lines set aside by this process. */
  rejected: number;
  /** Milliseconds since the epoch; null before the first change of a file. */
  lastEventAt: number | null;
  /** Why directories are polled instead of watched; null while all are watched. */
  degraded: string | null;
}

/** A line that was set aside, and in which file. */
export type SetAsideLine = QuarantinedLine & { path: string };

export interface DiscoveryInput {
  root: string;
  /** Whether to watch; otherwise only the files of a job are read, once. */
  follows: boolean;
  job: ImportJob | null;
  /** Old files that nobody asks for are not read. */
  leavesFound: boolean;
}

/** From the discovery actor. */
export type DiscoveryEvent =
  | { type: 'scan.done' }
  | { type: 'scan.failed'; error: BridgeError }
  | { type: 'files.counted'; counts: FileCounts }
  /** This file is to be read now, and there is a place for it. */
  | { type: 'file.due'; path: string; live: boolean }
  /** Its tail is kept no longer; the file goes on to be watched. */
  | { type: 'file.retired'; path: string }
  /** Its tail is to end at once: nobody wants the file read any more. */
  | { type: 'file.dropped'; path: string }
  | Extract<ImportEvent, { type: 'import.counted' | 'import.refused' }>;

/** From a tail to the watcher, which hands it on to the discovery actor. */
export type TailEvent =
  | { type: 'tail.caughtUp'; path: string }
  | { type: 'tail.failed'; path: string; code: ErrorCode; message: string }
  /** Its pause is over: it wants to read again. */
  | { type: 'tail.recovered'; path: string };

/** To the discovery actor. */
export type DiscoveryCommand =
  | TailEvent
  | ImportCommand
  /** Convex has taken a batch of the file. */
  | { type: 'tail.wrote'; path: string; inserted: number; known: number }
  /** `crashed` is the failure of the tail itself, not of its file. */
  | { type: 'tail.ended'; path: string; reason: TailEnd | 'crashed' };

export type TailEnd = 'deleted' | 'quiet';

/** To a tail. */
export type TailCommand =
  | { type: 'tail.read'; live: boolean }
  | { type: 'tail.retire' }
  | WriterReply;

/** From the actor that holds the open file. */
export type ReaderEvent =
  /** The next lines, as one transaction's worth of work. */
  | { type: 'batch.ready'; job: WriteJob }
  | { type: 'file.caughtUp' }
  | { type: 'file.gone' }
  | { type: 'file.failed'; error: BridgeError };

/** Single items of a batch may have been refused, and its cursor may not have moved. */
export type CommitResult = Pick<WriteResult, 'rejected' | 'stored'>;

/** To the actor that holds the open file. */
export type ReaderCommand =
  /** Answered with one ReaderEvent; with the last batch again until that is settled. */
  | { type: 'batch.next'; live: boolean }
  | { type: 'batch.committed'; result: CommitResult }
  /** Convex will never take it: its lines are set aside instead. */
  | { type: 'batch.rejected'; error: BridgeError };
