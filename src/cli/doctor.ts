/** `oa-bridge doctor`: everything around the bridge, each line ok or what to do. */
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import { examine } from '../doctor/examine.ts';
import type { Finding } from '../doctor/finding.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { printable } from './printable.ts';

export async function doctor(config: Config, asJson: boolean): Promise<ExitCode> {
  const findings = await examine(config);
  if (asJson) console.log(JSON.stringify(findings, null, 2));
  else for (const finding of findings) console.log(render(finding));
  return findings.some(({ verdict }) => verdict === 'failed') ? EXIT.failed : EXIT.done;
}

const MARKS = {
  ok: styleText('green', 'ok     '),
  warning: styleText('yellow', 'warning'),
  failed: styleText('red', 'FAILED '),
} as const;

function render({ subject, verdict, found, advice }: Finding): string {
  const line = `${MARKS[verdict]}  ${subject.padEnd(10)} ${printable(found)}`;
  return advice === undefined ? line : `${line}\n${' '.repeat(20)}→ ${printable(advice)}`;
}
