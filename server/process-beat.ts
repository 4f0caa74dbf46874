/** Says that this process is alive, for health and for the rule that leases are swept only while servers could take beats. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Db } from '#db/client.ts';
import { beatProcess, forgetProcess, type ProcessInfo } from '#db/queries/service-process.ts';

const BEAT_MS = 5000;

export interface ProcessBeat {
  stop(): Promise<void>;
}

export interface ProcessBeatDeps {
  db: Db;
  role: ProcessInfo['role'];
  version: string;
  /** Connections to the database that it may open. */
  connections: number;
  onError(error: unknown): void;
}

export async function startProcessBeat({
  db,
  role,
  version,
  connections,
  onError,
}: ProcessBeatDeps): Promise<ProcessBeat> {
  const info = { id: randomUUID(), role, hostname: hostname(), pid: process.pid, version, connections };
  await beatProcess(db, info);
  const timer = setInterval(() => void beatProcess(db, info).catch(onError), BEAT_MS);
  return {
    async stop() {
      clearInterval(timer);
      await forgetProcess(db, info.id).catch(onError);
    },
  };
}
