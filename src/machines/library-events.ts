/** The events between the watcher of projects or skills and the actors that touch files for it. */
import type { Broadcast, ReplyFrame } from '../control/frames.ts';

/** A folder to be watched. */
export interface WatchedFolder {
  folder: string;
  /** Of what is in it, only this folder; without it, all. */
  inner?: string;
}

/** What one look at all files found, and what it changed in Convex. */
export interface LibrarySync {
  items: number;
  problems: number;
  written: number;
  removed: number;
  folders: WatchedFolder[];
  /** The library as clients see it, when it is not what the last look found. */
  news: Broadcast | null;
}

/** What a verb of the library is answered with, and whether it changed a file. */
export interface LibraryAnswer {
  frame: ReplyFrame;
  changed: boolean;
}

/** From the actor that watches the folders. */
export type FolderChangesEvent =
  /** A hint; the files tell. */
  | { type: 'library.changed' }
  /** The kernel watches no more folders, and they are looked at in turns. */
  | { type: 'library.degraded'; reason: string };

/** To the actor that watches the folders: these, and no others. */
export type FolderChangesCommand = { type: 'folders.watch'; folders: WatchedFolder[] };
