/** What is said where a log was and nothing of it is left: an empty page would say that the task wrote nothing. */
import type { Db } from '#db/client.ts';
import { wereLogsDeleted } from '#db/queries/deleted-logs.ts';
import type { LogSource } from '#db/queries/log.ts';
import { GAP_PATIENCE_SECONDS } from './log-page.ts';

/** Of a try nothing of whose log is stored. Null: nothing is missing, or may still come. */
export async function whyLogIsGone(db: Db, runId: number, { end }: LogSource): Promise<string | null> {
  if (!end || end.logBytes === 0 || end.secondsAgo <= GAP_PATIENCE_SECONDS) return null;
  return (await wereLogsDeleted(db, runId))
    ? `This log of ${end.logBytes} bytes was deleted by retention.`
    : `This log of ${end.logBytes} bytes never arrived, or is no longer kept.`;
}
