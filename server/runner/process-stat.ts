/** What the kernel tells about processes. Nothing on systems without /proc. */
import { readFileSync } from 'node:fs';

export interface ProcessStat {
  isZombie: boolean;
  parent: number;
  group: number;
  /** Seconds of CPU: its own, and of its children that have ended and were waited for. */
  cpu: number;
  /** Bytes. */
  rss: number;
}

/** Of /proc/…/stat, after the command's name. */
const FIELD = { state: 0, parent: 1, group: 2, userTime: 11, systemTime: 12, childUser: 13, childSystem: 14, rss: 21 };
/** Ticks a second in these files, on every Linux there is. */
const TICKS = 100;

/** Null when it has ended. */
export function readProcess(pid: number): ProcessStat | null {
  const fields = statOf(pid);
  if (!fields) return null;
  const number = (at: number) => Number(fields[at]);
  const times = [FIELD.userTime, FIELD.systemTime, FIELD.childUser, FIELD.childSystem];
  return {
    isZombie: fields[FIELD.state] === 'Z',
    parent: number(FIELD.parent),
    group: number(FIELD.group),
    cpu: times.reduce((sum, at) => sum + number(at), 0) / TICKS,
    rss: number(FIELD.rss) * pageSize(),
  };
}

/** The command's name may hold spaces and brackets. */
function statOf(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

let knownPageSize: number | undefined;
/** From our own process, whose memory is known in bytes and in pages: 4 KiB on most machines, up to 64 KiB on others. */
function pageSize(): number {
  if (knownPageSize !== undefined) return knownPageSize;
  const pages = Number(statOf(process.pid)?.[FIELD.rss] ?? 0);
  knownPageSize = pages > 0 ? 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages)) : 4096;
  return knownPageSize;
}
