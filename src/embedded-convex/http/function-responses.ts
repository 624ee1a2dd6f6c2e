import type { FunctionOutcome } from '../executor.ts';
import { formatValue } from './value-format.ts';
import type { ValueFormat } from './value-format.ts';

/** JSON text of what a function returned or threw. Both are status 200. */
export function encodeFunctionResponse(
  { outcome, logLines }: { outcome: FunctionOutcome; logLines: string[] },
  format: ValueFormat,
): string {
  const logs = logLines.length === 0 ? '' : `,"logLines":${JSON.stringify(logLines)}`;
  if (outcome.ok)
    return `{"status":"success","value":${formatValue(outcome.value, format)}${logs}}`;
  const data =
    outcome.errorData === undefined ? '' : `,"errorData":${formatValue(outcome.errorData, format)}`;
  return `{"status":"error","errorMessage":${JSON.stringify(outcome.errorMessage)}${data}${logs}}`;
}
