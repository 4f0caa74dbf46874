/** What a worker keeps of logs and ends while the service does not take them. */
import { rm } from 'node:fs/promises';
import { createEndingJournal, NO_JOURNAL, type EndingJournal } from './ending-journal.ts';
import { createLogSpool, type LogSpool, type LogSpoolDeps } from './log-spool.ts';

export interface Spool {
  logs: LogSpool;
  endings: EndingJournal;
  /** What has not been sent is written down, for whoever starts next in this home. Nothing may be given to it any more. */
  leave(): Promise<void>;
}

export function createSpool(deps: LogSpoolDeps): Spool {
  const { dir, onError } = deps;
  const logs = createLogSpool(deps);
  const endings = dir === null ? NO_JOURNAL : createEndingJournal({ dir, onError });
  return {
    logs,
    endings,
    async leave() {
      const isDone = logs.isEmpty() && endings.isEmpty();
      logs.leave();
      await endings.leave();
      if (isDone && dir !== null) await rm(dir, { recursive: true, force: true }).catch(onError);
    },
  };
}
