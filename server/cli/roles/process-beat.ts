import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Db } from '#db/client.ts';
import { beatProcess, forgetProcess, type ProcessInfo } from '#db/queries/service-process.ts';
import { version } from '../version.ts';
import type { RoleContext } from './role.ts';

/** A third of the silence after which a process counts as gone. */
const BEAT_MS = 5_000;

/** Tells the others that this process lives, until the shutdown. */
export async function startProcessBeat(
  db: Db,
  role: ProcessInfo['role'],
  { log, shutdown }: RoleContext,
): Promise<void> {
  const info: ProcessInfo = { id: randomUUID(), role, hostname: hostname(), pid: process.pid, version: version() };
  const beat = () => beatProcess(db, info).catch((error: unknown) => log.warn({ error }, 'the beat was not written'));
  await beatProcess(db, info);
  const timer = setInterval(() => void beat(), BEAT_MS);
  shutdown.add(`${role} beat`, async () => {
    clearInterval(timer);
    await forgetProcess(db, info.id);
  });
}
