import type { CodexProbe } from '../actors/codex-process/codex-probe.ts';
import type { ConvexConnection } from '../actors/convex/connection.ts';
import type { Redaction } from '../actors/convex/redaction.ts';
import type { InspectionFeed } from '../actors/inspection/inspection-feed.ts';
import type { Config } from '../config.ts';
import type { BridgeIdentity } from '../home.ts';
import type { Log } from '../log.ts';
import type { TokenSigner } from '../token-signer.ts';

/** What the parts are made of. */
export interface Parts {
  config: Config;
  identity: BridgeIdentity;
  log: Log;
  /** What the log must not show; what is added later counts too. */
  logSecrets: string[];
  connection: ConvexConnection;
  tokens: TokenSigner;
  codex: CodexProbe;
  redaction: Redaction;
  inspection: InspectionFeed;
  /** Milliseconds since the epoch. */
  startedAt: number;
  version: string;
}
