/** How a backfill looks on a terminal, in a log, and to a machine. */
import { Presets, SingleBar } from 'cli-progress';
import type { BackfillFrame } from '../control/frames.ts';
import { counted } from './table.ts';

export interface BackfillView {
  /** How far it is now. */
  show(frame: BackfillFrame): void;
  /** Something to be said once: the text to a person, the frame to a machine. */
  say(frame: BackfillFrame, text: string): void;
  /** The end, whose frame was shown already. */
  tell(frame: BackfillFrame, text: string): void;
  summary(frame: BackfillFrame): string;
  stop(): void;
}

export function backfillView({ json }: { json?: boolean }): BackfillView {
  if (json === true) return { ...jsonView, summary };
  return { ...(process.stderr.isTTY ? barView() : lineView()), say: print, tell: print, summary };
}

const print = (_: BackfillFrame, text: string) => console.log(text);

const jsonView = {
  show: (frame: BackfillFrame) => console.log(JSON.stringify(frame)),
  say: (frame: BackfillFrame) => console.log(JSON.stringify(frame)),
  tell: () => {},
  stop: () => {},
};

type Drawn = Pick<BackfillView, 'show' | 'stop'>;

function barView(): Drawn {
  const bar = new SingleBar(
    {
      format: (_options, _params, { frame }: { frame: BackfillFrame }) => drawn(frame),
      stream: process.stderr,
      hideCursor: true,
      // Ctrl-C is ours: it has something to say.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  let isDrawn = false;
  return {
    show(frame) {
      if (isDrawn) bar.update(frame.bytes.done, { frame });
      else bar.start(frame.bytes.total, frame.bytes.done, { frame });
      isDrawn = true;
    },
    stop() {
      if (isDrawn) bar.stop();
      isDrawn = false;
    },
  };
}

/** Milliseconds between lines in a log: enough to see that it moves. */
const LINE_INTERVAL = 5_000;

function lineView(): Drawn {
  let last = { state: '', at: 0 };
  return {
    show(frame) {
      if (frame.state === last.state && Date.now() - last.at < LINE_INTERVAL) return;
      last = { state: frame.state, at: Date.now() };
      process.stderr.write(`${frame.state}: ${facts(frame)}\n`);
    },
    stop: () => {},
  };
}

/** Characters of the bar, where the line leaves room. */
const BAR = { min: 8, max: 40 };

function drawn(frame: BackfillFrame): string {
  const share = shareOf(frame);
  const text = ` ${String(Math.floor(share * 100)).padStart(3)}%  ${facts(frame)}`;
  const room = (process.stderr.columns || 80) - text.length - 1;
  const length = Math.max(BAR.min, Math.min(BAR.max, room));
  const full = Math.round(share * length);
  return '█'.repeat(full) + '░'.repeat(length - full) + text;
}

function shareOf({ bytes, files }: BackfillFrame): number {
  if (bytes.total > 0) return Math.min(1, bytes.done / bytes.total);
  return files.total === 0 ? 0 : (files.done + files.failed) / files.total;
}

function facts(frame: BackfillFrame): string {
  const { files, bytes, messages, state } = frame;
  if (state === 'scanning') return 'looking at the files';
  const parts = [
    `${padded(files.done, files.total)}/${files.total} files`,
    ...(files.failed > 0 ? [`${files.failed} failed`] : []),
    `${padded(megabytes(bytes.done), megabytes(bytes.total))}/${megabytes(bytes.total)} MB`,
    counted(messages.inserted, 'message'),
  ];
  if (state === 'paused') parts.push(`paused: ${frame.lastError ?? ''}`);
  if (frame.bytesPerSecond !== null) parts.push(`${megabytes(frame.bytesPerSecond)} MB/s`);
  if (frame.etaMs !== null) parts.push(`${clock(frame.etaMs)} left`);
  return parts.join('  ');
}

/** As wide as it will become, so that the line stands still. */
function padded(value: number | string, total: number | string): string {
  return String(value).padStart(String(total).length);
}

function summary({ files, bytes, messages }: BackfillFrame): string {
  if (files.total === 0) return 'There is no such session file.';
  const failed = files.failed > 0 ? `, ${files.failed} failed` : '';
  const read = `${files.done} of ${counted(files.total, 'file')}${failed}, ${megabytes(bytes.done)} MB`;
  if (messages.inserted + messages.known === 0) return `${read}; nothing in them is new.`;
  return `${read}; ${counted(messages.inserted, 'message')} new, ${messages.known} known.`;
}

function megabytes(bytes: number): string {
  const value = bytes / 1e6;
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

function clock(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  const tail = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`;
}
