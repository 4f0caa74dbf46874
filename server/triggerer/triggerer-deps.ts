import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import type { Vault } from '#db/vault.ts';
import type { Dispatch, TaskReport } from '#sdk/protocol.ts';
import type { Logger } from '../log.ts';

export interface TriggererDeps {
  db: Db;
  pool: pg.Pool;
  engine: Engine;
  listener: Listener;
  /** Null: what holds secrets cannot be waited for. */
  vault: Vault | null;
  log: Logger;
  /** Of its registration as a worker; a name that stays over restarts lets the next one go on at once. */
  name: string;
  version: string;
  /** Seconds for which a look belongs to whoever claimed it. */
  lookLeaseSeconds?: number;
  onError(error: unknown, loop: string): void;
}

export type SettleDeps = Pick<TriggererDeps, 'db' | 'engine' | 'vault'>;

/** How a dispatch goes on: all of a report but whose it is. */
export type Settled = Omit<TaskReport, 'dispatchId' | 'logBytes'>;

export type Settle<Task> = (deps: SettleDeps, dispatch: Dispatch & { task: Task }) => Promise<Settled>;

/** An end that trying again will not change. */
export const failed = (cause: TaskReport['cause'], message: string, evidence?: TaskReport['evidence']): Settled => ({
  outcome: 'failed',
  cause,
  message,
  retryable: false,
  ...(evidence && { evidence }),
});

/** `seed` of jitter, and part of idempotency keys. */
export const instanceName = (key: { runId: number; taskIndex: number; mapIndex: number }): string =>
  `${key.runId}.${key.taskIndex}.${key.mapIndex}`;
