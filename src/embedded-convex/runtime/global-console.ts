import type { Context } from 'node:vm';
import { currentExecution } from './execution.ts';
import type { LogLevel } from './log-lines.ts';
import { realmRenderer } from './render-value.ts';
import type { Traceback } from './traceback.ts';

/** `console`, whose lines go to the caller of the function that prints them. */
export function installConsole(global: Context, traceback: Traceback): void {
  const render = realmRenderer(global);
  const printing =
    (level: LogLevel) =>
    (...values: unknown[]): void => {
      currentExecution.getStore()?.log.add(level, values.map(render));
    };
  const labelText = (label: unknown): string => {
    if (label === undefined) return 'default';
    return typeof label === 'string' ? label : render(label);
  };
  const timer =
    (isEnd: boolean) =>
    (label?: unknown, ...values: unknown[]) => {
      currentExecution
        .getStore()
        ?.log.reportTimer(labelText(label), performance.now(), values.map(render), isEnd);
    };
  const methods = {
    debug: printing('DEBUG'),
    error: printing('ERROR'),
    info: printing('INFO'),
    log: printing('LOG'),
    warn: printing('WARN'),
    trace: (...values: unknown[]) => {
      const frames = traceback.frames(new Error('trace').stack ?? '');
      const text = ['', ...frames].join('\n');
      currentExecution.getStore()?.log.add('LOG', [...values.map(render), text]);
    },
    time: (label?: unknown) => {
      currentExecution.getStore()?.log.startTimer(labelText(label), performance.now());
    },
    timeLog: timer(false),
    timeEnd: timer(true),
  };
  Object.assign(global, { console: Object.assign(Object.create({}), methods) });
}
