/** Saves what changes of launches: each as it is when its turn comes, together with all that changed meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 1_000;
const MOST_ATTEMPTS = 60;

export interface Saver<T> {
  /** Resolves when it is saved. */
  save(item: T): Promise<void>;
  stop(): Promise<void>;
}

export interface SaverDeps<T> {
  write(items: T[]): Promise<void>;
  onError(error: unknown): void;
}

export function createSaver<T>({ write, onError }: SaverDeps<T>): Saver<T> {
  let dirty = new Set<T>();
  let waiting: (() => void)[] = [];
  let pumping: Promise<void> | undefined;
  let stopping = false;

  const writeAll = async (items: T[]) => {
    for (let attempt = 1; ; attempt++)
      try {
        return await write(items);
      } catch (error) {
        onError(error);
        if (stopping || attempt >= MOST_ATTEMPTS) return;
        await sleep(RETRY_MS);
      }
  };
  const pump = async () => {
    // What changes in this tick goes along
    await Promise.resolve();
    while (dirty.size > 0) {
      const items = [...dirty];
      const told = waiting;
      dirty = new Set();
      waiting = [];
      await writeAll(items);
      for (const tell of told) tell();
    }
    pumping = undefined;
  };

  return {
    save(item) {
      dirty.add(item);
      const saved = new Promise<void>((resolve) => waiting.push(resolve));
      pumping ??= pump();
      return saved;
    },
    async stop() {
      stopping = true;
      await pumping;
    },
  };
}
