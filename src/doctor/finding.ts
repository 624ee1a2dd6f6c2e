/** One line of `oa-bridge doctor`. */
export interface Finding {
  /** What was looked at, e.g. `node`. */
  subject: string;
  /**
   * ok       as it should be
   * warning  it works, but something is missing or will be
   * failed   the bridge cannot work like this
   */
  verdict: 'ok' | 'warning' | 'failed';
  /** What was found. */
  found: string;
  /** What a person can do about it. */
  advice?: string;
}

export function ok(subject: string, found: string): Finding {
  return { subject, verdict: 'ok', found };
}

export function warning(subject: string, found: string, advice: string): Finding {
  return { subject, verdict: 'warning', found, advice };
}

export function failed(subject: string, found: string, advice: string): Finding {
  return { subject, verdict: 'failed', found, advice };
}
