import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { countLeases, freeLeases, HOLD_SECONDS, holdLeases, type LeaseCounts } from '#db/queries/lease-breaker.ts';
import { couldRunnersBeat } from '#db/queries/service-process.ts';
import { retireSilentWorkers } from '#db/queries/worker.ts';
import { LEASE_SECONDS } from '#db/queries/task-transitions/statement.ts';
import type { Logger } from '../log.ts';
import { isMassExpiry, judgeSweep } from './mass-expiry.ts';

export interface ExpireLeasesDeps {
  db: Db;
  engine: Pick<Engine, 'relaunchUndelivered' | 'expireLeases'>;
  log: Logger;
}

/**
 * Takes back what never reached its worker, which costs nothing. Ends the tries of runners that have been silent for a whole lease: user
 * code may have started, so it costs a try. Not while no server could have taken a beat for so long: then the silence is ours. And not
 * while too many are silent at once: then something lies between us and them.
 */
export async function expireLeases({ db, engine, log }: ExpireLeasesDeps): Promise<void> {
  await engine.relaunchUndelivered();
  if (!(await couldRunnersBeat(db))) return;
  await retireSilentWorkers(db, LEASE_SECONDS);
  const counts = await countLeases(db);
  const heldSeconds = await watchForMassExpiry(db, counts, log);
  const verdict = judgeSweep(counts, heldSeconds);
  if (verdict === 'end') {
    const ended = await engine.expireLeases();
    if (heldSeconds !== null)
      log.error({ ended, heldSeconds }, 'the beats stayed away: the tries of silent workers end');
  }
}

/** Seconds for which a mass expiry has been seen; null: there is none (any more). */
async function watchForMassExpiry(db: Db, counts: LeaseCounts, log: Logger): Promise<number | null> {
  if (!isMassExpiry(counts)) {
    if (await freeLeases(db)) log.info({ ...counts }, 'leases are swept again: the beats are back');
    return null;
  }
  const heldSeconds = await holdLeases(db, counts);
  if (heldSeconds === 0)
    log.error(
      { ...counts, waitSeconds: HOLD_SECONDS, advice: ADVICE },
      'many workers fell silent at once: their tries are kept',
    );
  return heldSeconds;
}

const ADVICE =
  'Look at what lies between workers and servers: network, proxy, load of servers and database. When the beats return, all goes on. ' +
  'Workers that are gone for good end their tries when they start again under their names; otherwise that happens when the wait is over.';
