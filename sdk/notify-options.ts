/** What DAG authors write about notifications and deadlines; see notify.ts for what becomes of it. */
import type { DeadlineReference, NotifyEvent } from './notify.ts';
import type { Json } from './protocol.ts';
import type { Duration } from './task-types.ts';

export type NotifyTargetOptions =
  | {
      /** Id of a connection of kind webhook, slack or smtp. */
      connection: string;
      /** Mail addresses; without any, those of the connection. */
      recipients?: string | readonly string[];
    }
  | {
      /** Starts a run of another DAG. */
      callback: {
        dagId: string;
        /** Texts in it may name what happened: `'{{ task_id }}'`. */
        conf?: { [key: string]: Json };
      };
    };

export interface NotifyOptions {
  on: NotifyEvent | readonly NotifyEvent[];
  to: NotifyTargetOptions | readonly NotifyTargetOptions[];
  /** With names such as `{{ dag_id }}`. */
  subject?: string | null;
  body?: string | null;
  /** After how long a run or task is `slow`. */
  slowAfter?: Duration | null;
}
export interface DagNotifyOptions extends NotifyOptions {
  /** Ids of the tasks that it is about, or `'*'`; the run itself when left out. */
  tasks?: string | readonly string[];
}

export interface DeadlineOptions {
  /** Since when the time is counted: the run's creation, its logical date, a fixed date, or its creation and the average of former runs. */
  after: DeadlineReference;
  within?: Duration;
  /** For `fixed`: `'2026-12-24T18:00:00Z'`. */
  at?: string;
  /** For `average_runtime`: of how many runs (10), and how many there must be (3). */
  runs?: number;
  minRuns?: number;
  notify?: NotifyTargetOptions | readonly NotifyTargetOptions[];
}
