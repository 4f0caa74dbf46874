/** What the stages of a launch's life share: one launcher's view of one cluster. */
import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { DispatchKey } from '#db/engine/dispatch-id.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { LaunchRecord } from '#db/queries/launch-views.ts';
import type { Launch } from '#db/queries/launches.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import type { Logger } from '../../log.ts';
import type { LogShipper } from '../../worker/log-shipper.ts';
import type { Changing } from './changing.ts';
import type { LaunchMetrics } from './launch-metrics.ts';
import type { Line } from './line.ts';
import type { Target } from './target.ts';

/** One launch, as long as this process looks after it. */
export interface Entry {
  key: DispatchKey;
  launch: Launch;
  /** What its runner is told; null until asked for: another launcher had claimed it. */
  dispatch: Dispatch | null;
  /** The object as it was seen last; `gone`: it was there and is no more. Null: never seen. */
  object: Changing<{ is: unknown } | null>;
  gone: boolean;
  /** Since when a quota keeps it from being created; null: none does. */
  quotaSince: Date | null;
  /** Aborts with FENCED when nobody wants it any more, with STOPPED when this process goes. */
  leave: AbortController;
  /** The engine knows that its code runs. */
  isStartTold: boolean;
  /** For its log: who took it over must look up where it ends. */
  adopted: boolean;
}

export interface LaunchContext {
  cluster: string;
  workerId: number;
  db: Db;
  pool: pg.Pool;
  engine: Engine;
  log: Logger;
  metrics: LaunchMetrics;
  line: Line;
  shipper: LogShipper;
  isLogHeld(): boolean;
  /** Aborts when this process stops looking after launches: others go on. */
  stopped: AbortSignal;
  /** @throws LaunchRefused */
  targetOf(dispatch: Dispatch): Promise<Target>;
  /** Of a launch whose task is not known any more: enough to remove it. */
  remains(launch: Launch): Target;
  save(entry: Entry): Promise<void>;
  /** Where it ran; resolves in any case. */
  record(what: LaunchRecord): Promise<void>;
  drop(entry: Entry): Promise<void>;
  now(): Date;
  /** What the cluster's clock shows now: for what is held against times that the cluster wrote. */
  clusterNow(): Date;
}

export const STOPPED = new Error('The launcher stops.');
export const FENCED = new Error('Nobody wants it any more.');
