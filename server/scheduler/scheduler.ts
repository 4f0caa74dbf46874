/** The scheduler role: everything that happens because time passes. Any number of schedulers run side by side. */
import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import { deleteOldDrafts } from '#db/queries/artifacts.ts';
import { ensurePartitions } from '#db/queries/partitions.ts';
import type { Logger } from '../log.ts';
import { startAssetEvents } from './asset-events.ts';
import { createDueRuns } from './create-due-runs.ts';
import { expireLeases } from './expire-leases.ts';
import { startLoop } from './loop.ts';
import { reviewRuns } from './review-runs.ts';
import { reviewContinuousDags, startRunRules } from './run-rules.ts';
import { runBackfills } from './run-backfills.ts';
import { runBulkJobs } from './run-bulk-jobs.ts';
import { timeOutRuns } from './time-out-runs.ts';
import { wakeGates } from './wake-gates.ts';
import { wakeRetries } from './wake-retries.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

export interface SchedulerDeps {
  db: Db;
  pool: pg.Pool;
  engine: Engine;
  listener: Listener;
  log: Logger;
  onError(error: unknown, loop: string): void;
}

export interface Scheduler {
  stop(): Promise<void>;
}

export function startScheduler({ db, pool, engine, listener, log, onError }: SchedulerDeps): Scheduler {
  const every = (name: string, ms: number, work: () => Promise<void>) =>
    startLoop({ name, mostMs: ms, onError, pass: () => work().then(() => ms) });
  const due = startLoop({
    name: 'create due runs',
    mostMs: 5 * SECOND,
    onError,
    pass: () => createDueRuns(db, engine),
  });
  const retries = startLoop({
    name: 'wake retries',
    mostMs: 5 * SECOND,
    onError,
    pass: () => wakeRetries(pool, engine),
  });
  const timeouts = startLoop({
    name: 'time out runs',
    mostMs: 5 * SECOND,
    onError,
    pass: () => timeOutRuns(db, engine),
  });
  const rules = startRunRules({ db, engine, listener, log });
  const assets = startAssetEvents({ db, engine, listener, log });
  const review = every('review runs', 10 * SECOND, async () => {
    await reviewRuns(db, pool, engine);
    await reviewContinuousDags(db);
  });
  const gates = startLoop({
    name: 'wake gates',
    mostMs: 5 * SECOND,
    onError,
    pass: () => wakeGates(pool, engine),
  });
  const backfills = startLoop({
    name: 'run backfills',
    mostMs: 10 * SECOND,
    onError,
    pass: async () => ((await runBackfills(db, engine)) ? 0 : 10 * SECOND),
  });
  const jobs = startLoop({
    name: 'run bulk jobs',
    mostMs: 10 * SECOND,
    onError,
    pass: async () => ((await runBulkJobs(db, engine)) ? 0 : 10 * SECOND),
  });
  const leases = every('expire leases', 5 * SECOND, () => expireLeases({ db, engine, log }));
  const partitions = every('make partitions', HOUR, () => ensurePartitions(pool));
  const drafts = every('sweep interrupted uploads', HOUR, async () => {
    const count = await deleteOldDrafts(db);
    if (count > 0) log.info({ count }, 'pieces of interrupted uploads are deleted');
  });

  const wake = () => {
    due.wake();
    retries.wake();
    timeouts.wake();
    gates.wake();
    backfills.wake();
  };
  const wakeAll = () => {
    wake();
    review.wake();
    jobs.wake();
  };
  const off = [
    listener.on('millrace_schedule', wake),
    listener.on('millrace_job', (name) => (name.startsWith('bulk ') ? jobs : backfills).wake()),
    listener.onResync(wakeAll),
  ];

  return {
    async stop() {
      for (const stop of off) stop();
      await Promise.all(
        [due, retries, gates, timeouts, backfills, jobs, rules, assets, review, leases, partitions, drafts].map(
          (part) => part.stop(),
        ),
      );
    },
  };
}
