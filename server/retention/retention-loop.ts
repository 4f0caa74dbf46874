import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { Listener } from '#db/listen.ts';
import { setRetentionPolicies, type RetentionPolicies } from '#db/queries/retention-policy.ts';
import {
  beginRetention,
  endRetention,
  hasRetentionRequest,
  recordDeleted,
  withRetentionLock,
} from '#db/queries/retention-runs.ts';
import type { Logger } from '../log.ts';
import { startLoop } from '../scheduler/loop.ts';
import { runRetention, type Deleted } from './run-retention.ts';

const HOUR_MS = 3_600_000;
/** Whoever starts has other things to do first. */
const FIRST_MS = 60_000;

export interface RetentionLoopDeps {
  db: Db;
  pool: pg.Pool;
  listener: Pick<Listener, 'on' | 'onResync'>;
  policies: RetentionPolicies;
  log: Logger;
  onError(error: unknown, loop: string): void;
  /** After each piece. */
  onDeleted?: ((what: string, count: number) => void) | undefined;
}

/** Once an hour, and whenever somebody asks for it: by one of the schedulers. */
export async function startRetention(deps: RetentionLoopDeps): Promise<{ stop(): Promise<void> }> {
  const stopped = new AbortController();
  await setRetentionPolicies(deps.db, deps.policies);
  let isFirst = true;
  const loop = startLoop({
    name: 'delete what is old',
    mostMs: HOUR_MS,
    onError: deps.onError,
    async pass() {
      const wasFirst = isFirst;
      isFirst = false;
      if (wasFirst && !(await hasRetentionRequest(deps.db))) return FIRST_MS;
      await withRetentionLock(deps.pool, () => runOnce(deps, stopped.signal));
      return HOUR_MS;
    },
  });
  const offs = [deps.listener.on('millrace_retention', () => loop.wake()), deps.listener.onResync(() => loop.wake())];
  return {
    async stop() {
      stopped.abort();
      for (const off of offs) off();
      await loop.stop();
    },
  };
}

async function runOnce({ db, log, onDeleted: tell }: RetentionLoopDeps, signal: AbortSignal): Promise<void> {
  const run = await beginRetention(db);
  const deleted: Deleted = {};
  const onDeleted = async (what: string, count: number) => {
    deleted[what] = (deleted[what] ?? 0) + count;
    tell?.(what, count);
    await recordDeleted(db, run.id, deleted);
  };
  try {
    await runRetention({ db, signal, onDeleted });
  } catch (error) {
    await endRetention(db, run, { deleted, error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
  await endRetention(db, run, { deleted, error: signal.aborted ? 'The scheduler was stopped in the middle.' : null });
  if (Object.keys(deleted).length > 0) log.info({ deleted }, 'what had been kept long enough is deleted');
}
