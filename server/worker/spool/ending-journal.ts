/**
 * Ends of tasks until the service has recorded them. What it does not take at once is written down, so that it outlives this process and
 * its machine: a file for each, safe on the disk. While the service answers nothing touches the disk.
 */
import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskReport } from '#sdk/protocol.ts';
import type { ResultFiles } from '../result-uploads.ts';
import { LATE_MS } from './log-spool.ts';

export interface Ending {
  report: TaskReport;
  /** Large results that are not uploaded yet. */
  files?: ResultFiles | undefined;
}

export interface EndingJournal {
  /** A task has ended; again when its results are uploaded. */
  put(ending: Ending): void;
  /** The service has answered. */
  remove(dispatchId: string): void;
  isEmpty(): boolean;
  /** Writes down all that is not answered. Never rejects. */
  leave(): Promise<void>;
}

export interface EndingJournalDeps {
  dir: string;
  onError(error: unknown): void;
  lateMs?: number;
}

interface Entry extends Ending {
  since: number;
  /** As it is now it is on the disk, or on its way there. */
  isStored: boolean;
  /** Something of it, new or old, is there. */
  isWritten: boolean;
  /** Names in the folder. */
  kept: string[];
}

/** For who has no disk to write to. */
export const NO_JOURNAL: EndingJournal = {
  put: () => undefined,
  remove: () => undefined,
  isEmpty: () => true,
  leave: () => Promise.resolve(),
};

export const ENDING_NAME = /^end-[\w.-]+\.json$/;
const nameOf = (dispatchId: string) => `end-${dispatchId}`;

export function createEndingJournal({ dir, onError, lateMs = LATE_MS }: EndingJournalDeps): EndingJournal {
  const entries = new Map<string, Entry>();
  let timer: NodeJS.Timeout | undefined;
  /** One at a time. */
  let writing: Promise<void> = Promise.resolve();

  const store = async (dispatchId: string, entry: Entry) => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const name = nameOf(dispatchId);
    await keepFiles(dir, name, entry);
    const { report, files } = entry;
    await writeSafely(dir, `${name}.json`, JSON.stringify({ report, files }));
    entry.isStored = true;
    // Answered meanwhile
    if (entries.get(dispatchId) !== entry) await erase(dispatchId, entry);
  };
  const erase = async (dispatchId: string, { kept }: Entry) => {
    for (const name of [`${nameOf(dispatchId)}.json`, ...kept]) await rm(join(dir, name), { force: true });
  };
  const storeLater = (which: (entry: Entry) => boolean) => {
    for (const [dispatchId, entry] of entries) {
      if (entry.isStored || !which(entry)) continue;
      entry.isStored = entry.isWritten = true;
      writing = writing
        .then(() => store(dispatchId, entry))
        .catch((error: unknown) => {
          entry.isStored = false;
          const what = `The end of a task could not be written to ${dir}: it is lost if the worker ends before the service is back.`;
          onError(new Error(what, { cause: error }));
        });
    }
  };
  const look = () => {
    const longAgo = performance.now() - lateMs;
    storeLater((entry) => entry.since < longAgo);
    if (entries.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return {
    put(ending) {
      const { dispatchId } = ending.report;
      const known = entries.get(dispatchId);
      if (known) Object.assign(known, { files: undefined, ...ending, isStored: false });
      else
        entries.set(dispatchId, { ...ending, since: performance.now(), isStored: false, isWritten: false, kept: [] });
      timer ??= setInterval(look, lateMs / 4).unref();
    },
    remove(dispatchId) {
      const entry = entries.get(dispatchId);
      entries.delete(dispatchId);
      if (entry?.isWritten) writing = writing.then(() => erase(dispatchId, entry)).catch(onError);
    },
    isEmpty: () => entries.size === 0,
    async leave() {
      clearInterval(timer);
      storeLater(() => true);
      await writing;
    },
  };
}

/** Large results lie in a folder that goes with the supervisor: from here on they are found in this one. */
async function keepFiles(dir: string, name: string, entry: Entry): Promise<void> {
  for (const [n, file] of Object.values(entry.files ?? {}).entries()) {
    const kept = `${name}-${n}.result`;
    if (entry.kept.includes(kept)) continue;
    const path = join(dir, kept);
    await link(file.path, path).catch(() => copyFile(file.path, path));
    entry.kept.push(kept);
    file.path = path;
  }
}

/** There is the whole file or none, also after a power cut. */
async function writeSafely(dir: string, name: string, content: string): Promise<void> {
  const draft = join(dir, `${name}.draft`);
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, join(dir, name));
  const folder = await open(dir, 'r');
  await folder.sync().finally(() => folder.close());
}
