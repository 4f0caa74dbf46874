import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readProcess } from './process-stat.ts';

/** Signals a process group; false when nobody is left in it. */
export function signalGroup(pgid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pgid, signal);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** EPERM: what is left are zombies (macOS), or processes that have become another user's. */
const isGone = (error: unknown) => ['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');

/** Also when it is another user's. Not a zombie: the first process of a container may never ask how it ended. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return readProcess(pid)?.isZombie !== true;
}

/** Half-way to certain victim. */
const OOM_SCORE = '500';

/** Short of memory, the kernel is to kill tasks rather than what supervises them. What they start inherits it. */
export function preferForOomKill(pid: number): void {
  if (process.platform !== 'linux') return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
  } catch {
    // Ended already, or not allowed in this sandbox: the kernel chooses by size then.
    return;
  }
}

/** Environment variables by which processes are found again. */
export const SUPERVISOR_VARIABLE = 'MILLRACE_SUPERVISOR';
export const DISPATCH_VARIABLE = 'MILLRACE_DISPATCH_ID';

/**
 * Kills every process that was started with one of these `NAME=value`, in whatever group it is; with `owner`, only those that have it too.
 * Only Linux tells: elsewhere it finds none.
 */
export function killTagged(tags: ReadonlySet<string>, owner: string | null = null): number[] {
  const killed: number[] = [];
  for (const pid of processIds()) {
    if (pid === process.pid) continue;
    const environment = environmentOf(pid);
    if (!environment.some((entry) => tags.has(entry)) || (owner !== null && !environment.includes(owner))) continue;
    try {
      process.kill(pid, 'SIGKILL');
      killed.push(pid);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return killed;
}

export function processIds(): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    // Ended meanwhile, or another user's.
    return [];
  }
}
