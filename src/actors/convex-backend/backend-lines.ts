/** The lines that an embedded backend prints for the bridge: that it serves, or what is wrong. */
import { z } from 'zod';
import { BridgeError, type ErrorCode } from '../../errors.ts';
import { jsonOrUndefined } from '../../control/json-or-undefined.ts';

const ready = z.object({
  ready: z.literal(true),
  url: z.url(),
  port: z.int(),
  /** A damaged database that it found, and where that is now. */
  setAside: z.object({ file: z.string(), reason: z.string() }).optional(),
});
/** What it complained of by this code is over. */
const recovery = z.object({ recovered: z.string() });
const failure = z.object({ error: z.string(), message: z.string() });

export type BackendReady = z.infer<typeof ready>;
export type BackendComplaint = z.infer<typeof failure>;

export function readReady(line: string): BackendReady | null {
  return ready.safeParse(jsonOrUndefined(line)).data ?? null;
}

export function readComplaint(line: string): BackendComplaint | null {
  return failure.safeParse(jsonOrUndefined(line)).data ?? null;
}

/** The error that is over, or null: the line is another. */
export function readRecovery(line: string): ErrorCode | null {
  const { data } = recovery.safeParse(jsonOrUndefined(line));
  return data === undefined ? null : (codes[data.recovered] ?? 'convex_failed');
}

export function setAsideError({ setAside }: BackendReady): BridgeError | null {
  if (setAside === undefined) return null;
  return new BridgeError('convex_set_aside', `${setAside.file} (${setAside.reason})`);
}

/** Codes of the backend that waiting alone will not mend; all others may be gone the next time. */
const codes: Record<string, ErrorCode> = {
  PortTaken: 'port_taken',
  AddressUnavailable: 'convex_misconfigured',
  EACCES: 'convex_misconfigured',
  DatabaseCorrupt: 'convex_corrupt',
  DiskFull: 'convex_disk_full',
  DatabaseForeign: 'convex_misconfigured',
  DatabaseTooNew: 'convex_misconfigured',
  DatabaseUnreadable: 'convex_misconfigured',
  FunctionsInvalid: 'convex_misconfigured',
  InvalidArguments: 'convex_misconfigured',
};

/** `where` it was told to listen; a person knows that by the bridge's own settings. */
export function complaintError(
  { error, message }: BackendComplaint,
  where: { interface: string; port: number },
): BridgeError {
  return new BridgeError(codes[error] ?? 'convex_failed', detail(error, where) ?? message);
}

function detail(error: string, where: { interface: string; port: number }): string | undefined {
  switch (error) {
    case 'PortTaken':
      return `${where.interface}:${where.port} (OPENAGENTS_CONVEX_PORT)`;
    case 'AddressUnavailable':
      return `this machine does not have the address ${where.interface} (OPENAGENTS_CONVEX_INTERFACE)`;
    default:
      return undefined;
  }
}
