/** What the group commit takes in. `rows` is an item's weight in a batch. Every item is answered exactly once, after its commit. */
import type { Deferral, Json, ReportAnswer } from '#sdk/protocol.ts';
import type { ReadyRow } from '#db/queries/task-transitions/ready-rows.ts';
import type { RunKind } from '#sdk/states.ts';
import type { DispatchKey } from './dispatch-id.ts';
import type { FinishRow } from './flush-plan.ts';

/** A run to create. Dates are stored to the millisecond. */
export interface NewRun {
  dagId: number;
  /** Default: the DAG's current version. */
  versionId?: number | null;
  kind: RunKind;
  /** Unique within the DAG; made from kind and time when absent. */
  runKey?: string | null;
  logicalDate?: Date | null;
  intervalStart?: Date | null;
  intervalEnd?: Date | null;
  conf?: { [key: string]: Json } | null;
  triggeredBy?: string | null;
  /** The same key gives the same run. */
  idempotencyKey?: string | null;
}

export interface CreatedRun {
  runId: number;
  /** False: it existed already. */
  created: boolean;
}

export interface ClaimRequest {
  workerId: number;
  queues: string[];
  limit: number;
  /** Only these, which a broker has named; not given: whatever is first in line. */
  rows?: readonly ReadyRow[];
  /** The claimer has them run on this cluster: until they do, they stay queued. */
  cluster?: string;
}

/** A task instance that has just been set running. */
export interface ClaimedTask extends DispatchKey {
  tryNumber: number;
  maxTries: number;
  versionId: number;
}

/** A dispatch that goes back to the line, as if it had never been claimed. */
export interface ReleaseRow extends DispatchKey {
  how: 'released';
  /** Only if its worker has never beaten for it. */
  undelivered: boolean;
}

/** A dispatch that waits for something outside, without a worker. */
export interface DeferRow extends DispatchKey {
  how: 'deferred';
  defer: Deferral;
}

/** A try that goes back to its timer. */
export interface RescheduleRow extends DispatchKey {
  how: 'rescheduled';
  afterSeconds: number;
}

/** What leaves its worker without ending a try. */
export type AsideRow = ReleaseRow | DeferRow | RescheduleRow;

interface Item {
  rows: number;
  reject(error: unknown): void;
}

export interface CreateItem extends Item {
  kind: 'create';
  runs: (NewRun & { runKey: string })[];
  resolve(created: CreatedRun[]): void;
}

/** Starts queued runs of DAGs, as far as max_active_runs allows. */
export interface StartItem extends Item {
  kind: 'start';
  dagIds: number[];
  resolve(): void;
}

export interface FinishItem extends Item {
  kind: 'finish';
  pending: FinishRow[];
  aside: AsideRow[];
  claim: ClaimRequest | null;
  answer(key: FinishRow | AsideRow, answer: ReportAnswer): void;
  resolve(claimed: ClaimedTask[]): void;
}

/** A dispatch whose code runs on its cluster. */
export interface StartedDispatch extends DispatchKey {
  /** Null: not known. */
  startedAt: Date | null;
}

export interface RunningItem extends Item {
  kind: 'running';
  started: StartedDispatch[];
  resolve(): void;
}

/** Something else is to be shown of these dispatches, which are starting. */
export interface TellItem extends Item {
  kind: 'tell';
  told: DispatchKey[];
  resolve(): void;
}

export interface WakeItem extends Item {
  kind: 'wake';
  keys: Omit<DispatchKey, 'uuid'>[];
  resolve(): void;
}

/** Rows of ready, waiting or timer tables that have gone missing are put back. */
export interface ReviewItem extends Item {
  kind: 'review';
  runIds: number[];
  resolve(): void;
}

/** Waiting tasks of these runs are looked at again. */
export interface AdmitItem extends Item {
  kind: 'admit';
  runIds: number[];
  /** Gates that may have room. */
  gates: string[];
  /** What these runs hold and should not is given back first. */
  tidy: boolean;
  resolve(): void;
}

export interface ClaimItem extends Item {
  kind: 'claim';
  claim: ClaimRequest;
  resolve(claimed: ClaimedTask[]): void;
}

export type WorkItem =
  CreateItem | StartItem | FinishItem | RunningItem | TellItem | WakeItem | ReviewItem | AdmitItem | ClaimItem;

/** A worker in this process: its free slots take part in every flush that makes tasks ready. */
export interface LocalClaimer {
  workerId: number;
  queues: string[];
  /** Reserves all free slots and says how many. */
  takeSlots(): number;
  /** Gives back what was claimed; `reserved` slots are its to account for. */
  deliver(claimed: ClaimedTask[], reserved: number): void;
}

export interface Batch {
  items: WorkItem[];
  locals: { claimer: LocalClaimer; limit: number }[];
}
