/** The streams behind the subscriptions. Items are shared by all subscribers that get them: never change one. */
import type { EventBody } from '#db/queries/events.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';
import type { TaskState } from '#sdk/states.ts';
import type { LogPage } from './log-page.ts';

/** One row of the event log, or the news that the subscriber must read its snapshot again. */
export type StreamItem =
  | { kind: 'CHANGE'; cursor: string; at: Date; runId: number; body: EventBody }
  | { kind: 'RESYNC'; cursor: string; at: Date; runId: number | null; body: null };

export interface EventFilter {
  /** Names of DAGs. */
  dagIds?: readonly string[] | null;
  runId?: number | null;
  /** Only transitions into these states. */
  states?: readonly TaskState[] | null;
}

export interface WorkSignal {
  queues: string[];
  fenced: boolean;
}

export interface EventStreams {
  /** Null: there is no such run. `after` is a run_seq; null: from now on. */
  runEvents(runId: number, after: number | null): Promise<AsyncIterable<StreamItem> | null>;
  /** Runs made or changed and DAGs changed, without the transitions of tasks. */
  dagEvents(after: string | null): Promise<AsyncIterable<StreamItem>>;
  events(filter: EventFilter, after: string | null): Promise<AsyncIterable<StreamItem>>;
  /** Follows one try until its log is complete; null: the newest try. */
  taskLog(task: TaskKey, tryNumber: number | null, after: number): Promise<AsyncIterable<LogPage>>;
  /** A message at once, and one each time the backfill or bulk job of this name (`backfill 7`) has moved. */
  jobChanges(name: string): Promise<AsyncIterable<{ at: Date }>>;
  /** A message at once, one each time a cluster or its health has changed, and while tasks run one every other second. */
  clusterChanges(): Promise<AsyncIterable<{ at: Date }>>;
  /** As `clusterChanges`, of queues. */
  queueChanges(): Promise<AsyncIterable<{ at: Date }>>;
  /** A message at once, and one each time a Git source has changed or been looked at. */
  gitSourceChanges(): Promise<AsyncIterable<{ at: Date }>>;
  /** As clusterChanges, of workers; every ten seconds in any case, since beats wake nobody. */
  workerChanges(): Promise<AsyncIterable<{ at: Date }>>;
  workAvailable(worker: { id: number; queues: readonly string[] }): Promise<AsyncIterable<WorkSignal>>;
}
