/** What stands for a dispatch on its cluster: a Pod, or an object of another kind. */
import type { LaunchKind } from '#db/queries/launches.ts';
import type { TaskReport } from '#sdk/protocol.ts';
import type { DeleteAnswer } from '../kubernetes/cluster-client.ts';
import type { CreateAnswer } from '../kubernetes/create-answer.ts';
import type { PodEnd } from '../kubernetes/pod-end.ts';
import type { ObjectEvent } from '../kubernetes/pod-events.ts';
import type { Fatal } from '../kubernetes/pod-waiting.ts';
import type { LaunchLog } from './launch-log.ts';

export type ObjectPhase = 'pending' | 'scheduled' | 'started' | 'ended';

/** What the cluster says of it now. */
export interface Seen {
  phase: ObjectPhase;
  uid: string | null;
  node: string | null;
  /** Why it does not go on: a word, and a sentence. */
  reason: string | null;
  message: string | null;
  /** Waiting longer cannot help. */
  fatal: Fatal | null;
  createdAt: Date | null;
  scheduledAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  end: ObjectEnd | null;
}

/** How it ended, as the cluster tells it. */
export type ObjectEnd = Omit<PodEnd, 'outcome'> & { outcome: 'success' | 'failed' | 'skipped' };

/** Seconds; null: no limit. */
export interface TargetLimits {
  /** Until a node takes it. */
  schedule: number | null;
  /** From there until its code begins. */
  start: number | null;
  /** From there until it has ended. */
  run: number | null;
  /** For ending by itself when it is asked to. */
  grace: number;
}

export type OnFinish = 'delete' | 'keep_failed' | 'keep';

export interface Collecting {
  /** It is as it was seen last. */
  gone: boolean;
  /** Nobody waits any longer. */
  overdue: boolean;
  /** By the cluster's clock. */
  now: Date;
}

export interface Target {
  kind: LaunchKind;
  /** `<apiVersion> <kind>`. */
  api: string;
  namespace: string;
  name: string;
  onFinish: OnFinish;
  limits: TargetLimits;
  create(signal: AbortSignal): Promise<CreateAnswer<unknown>>;
  /** By its name. `foreign`: somebody else's. */
  find(signal: AbortSignal): Promise<{ object: unknown } | 'none' | 'foreign'>;
  remove(options: { uid: string | null; graceSeconds?: number; signal?: AbortSignal }): Promise<DeleteAnswer>;
  /** `now`: by the cluster's clock. `events`: what the cluster wrote down about it, where somebody asked. */
  see(object: unknown, now: Date, events?: readonly ObjectEvent[]): Seen;
  /** How it ended when it is not there any more. */
  whenGone(last: unknown, byUs: boolean): ObjectEnd;
  /** Copies its output until it has ended and all of it is there. Null: it brings its output itself. */
  followLog: ((log: LaunchLog, signals: { ended: AbortSignal; signal: AbortSignal }) => Promise<string | null>) | null;
  /** Last lines that it wrote, where it brings its output itself and has failed to. */
  lastLines(): Promise<string[]>;
  events(uid: string): Promise<ObjectEvent[]>;
  /**
   * After its success its result is brought out of it: how it ended with that, for `results`; null: it is not brought yet. Null
   * instead of a function: nothing is to be brought.
   */
  collect: ((object: unknown, end: ObjectEnd, how: Collecting) => ObjectEnd | null) | null;
  /** The rest of the report, by how it ended. */
  results(end: ObjectEnd): Pick<TaskReport, 'xcoms' | 'artifacts'> | { invalid: string };
  /** What its templates came to. */
  rendered: { [field: string]: string } | null;
  /** Of a mapped instance, for people. */
  mapName: string | null;
}

/** It can never be launched as it is. */
export class LaunchRefused extends Error {
  readonly taskCause: TaskReport['cause'];
  constructor(taskCause: TaskReport['cause'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LaunchRefused';
    this.taskCause = taskCause;
  }
}
