/** GET /livez: the process answers. GET /readyz: it can serve, or why not. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '#db/client.ts';
import { readServiceFacts } from '#db/queries/service-health.ts';
import type { ServerResponse } from 'node:http';
import { sendJson } from './reply.ts';

const PATIENCE_MS = 2_000;

export interface HealthDeps {
  db: Db;
  version: string;
  isStopping(): boolean;
}

export function createHealth({ db, version, isStopping }: HealthDeps) {
  return {
    live: (res: ServerResponse): void => sendJson(res, 200, { status: 'ok', version }),
    async ready(res: ServerResponse): Promise<void> {
      const reasons = isStopping() ? ['the server is stopping'] : await databaseReasons(db);
      const status = reasons.length === 0 ? 'ok' : 'unavailable';
      sendJson(res, reasons.length === 0 ? 200 : 503, { status, version, reasons });
    },
  };
}

async function databaseReasons(db: Db): Promise<string[]> {
  const patience = new AbortController();
  const late = sleep(PATIENCE_MS, ['the database does not answer'], { signal: patience.signal, ref: false });
  late.catch(() => undefined);
  const answered = readServiceFacts(db).then(
    () => [],
    (error: unknown) => [`the database cannot be used: ${error instanceof Error ? error.message : String(error)}`],
  );
  const reasons = await Promise.race([answered, late]);
  patience.abort();
  return reasons;
}
