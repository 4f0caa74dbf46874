/** Where the logs of launches go. */
import type pg from 'pg';
import { appendLogChunks } from '#db/queries/log.ts';
import { createLogShipper, type LogShipper } from '../../worker/log-shipper.ts';

export function createLaunchShipper(
  pool: pg.Pool,
  onError: (error: unknown) => void,
): { shipper: LogShipper; isHeld(): boolean } {
  let held = false;
  const shipper = createLogShipper({
    append: async (chunks) => void (await appendLogChunks(pool, chunks)),
    onError,
    onFull: (full) => (held = full),
  });
  return { shipper, isHeld: () => held };
}
