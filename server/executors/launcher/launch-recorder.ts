/** Writes down where tries ran: those that end together, together. */
import type pg from 'pg';
import { saveLaunchRecords, type LaunchRecord } from '#db/queries/launch-views.ts';
import { createSaver, type Saver } from './launch-writer.ts';

/** Nothing depends on a record: one that cannot be written is told, and left. */
export function createLaunchRecorder(pool: pg.Pool, onError: (error: unknown) => void): Saver<LaunchRecord> {
  const alone = (record: LaunchRecord) => saveLaunchRecords(pool, [record]).catch(onError);
  return createSaver<LaunchRecord>({
    write: (records) =>
      // One of them may be what is wrong
      saveLaunchRecords(pool, records).catch(async () => {
        for (const record of records) await alone(record);
      }),
    onError,
  });
}
