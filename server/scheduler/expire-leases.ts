import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { couldRunnersBeat } from '#db/queries/service-process.ts';
import { retireSilentWorkers } from '#db/queries/worker.ts';
import { LEASE_SECONDS } from '#db/queries/task-transitions/statement.ts';

/**
 * Takes back what never reached its worker, which costs nothing. Ends the tries of runners that have been silent for a whole lease: user
 * code may have started, so it costs a try. Not while no server could have taken a beat for so long: then the silence is ours.
 */
export async function expireLeases(db: Db, engine: Engine): Promise<void> {
  await engine.relaunchUndelivered();
  if (!(await couldRunnersBeat(db))) return;
  await retireSilentWorkers(db, LEASE_SECONDS);
  await engine.expireLeases();
}
