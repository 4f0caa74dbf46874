import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { processIds } from './process-group.ts';

export interface GroupUse {
  /** Resident bytes of the whole group. */
  rss: number;
  processes: number;
}

/** Looks at the memory of process groups. Sees nothing on systems without /proc. */
export interface MemoryWatch {
  add(pgid: number, look: (use: GroupUse) => void): void;
  remove(pgid: number): void;
  stop(): void;
}

/** Between two turns of the event loop, so that a machine with thousands of processes does not hold it up. */
const PROCESSES_PER_TURN = 100;

export function createMemoryWatch(intervalMs = 500): MemoryWatch {
  const watched = new Map<number, (use: GroupUse) => void>();
  const pageSize = memoryPageSize();
  let timer: NodeJS.Timeout | null = null;

  const look = async () => {
    const uses = new Map<number, GroupUse>();
    const pids = processIds();
    for (let from = 0; from < pids.length; from += PROCESSES_PER_TURN) {
      if (from > 0) await nextTurn();
      for (const pid of pids.slice(from, from + PROCESSES_PER_TURN)) addProcess(uses, pid, pageSize);
    }
    for (const [pgid, use] of uses) watched.get(pgid)?.(use);
    schedule();
  };
  const schedule = () => {
    timer = watched.size > 0 ? setTimeout(() => void look(), intervalMs) : null;
  };
  return {
    add(pgid, onLook) {
      watched.set(pgid, onLook);
      if (!timer) schedule();
    },
    remove: (pgid) => void watched.delete(pgid),
    stop() {
      watched.clear();
      if (timer) clearTimeout(timer);
    },
  };
}

function addProcess(uses: Map<number, GroupUse>, pid: number, pageSize: number): void {
  const fields = statOf(pid);
  if (!fields) return;
  const pgid = Number(fields[2]);
  const use = uses.get(pgid) ?? { rss: 0, processes: 0 };
  use.rss += Number(fields[RSS]) * pageSize;
  if (fields[0] !== 'Z') use.processes += 1;
  uses.set(pgid, use);
}

const RSS = 21;

/** Fields of /proc/…/stat after the command's name, which may hold spaces and brackets; null when the process has ended. */
function statOf(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** From our own process, whose memory is known in bytes and in pages: 4 KiB on most machines, up to 64 KiB on others. */
function memoryPageSize(): number {
  const pages = Number(statOf(process.pid)?.[RSS] ?? 0);
  return pages > 0 ? 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages)) : 4096;
}
