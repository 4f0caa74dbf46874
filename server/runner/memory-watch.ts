import { setImmediate as nextTurn } from 'node:timers/promises';
import { processIds } from './process-group.ts';
import { readProcess } from './process-stat.ts';

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
  let timer: NodeJS.Timeout | null = null;

  const look = async () => {
    const uses = new Map<number, GroupUse>();
    const pids = processIds();
    for (let from = 0; from < pids.length; from += PROCESSES_PER_TURN) {
      if (from > 0) await nextTurn();
      for (const pid of pids.slice(from, from + PROCESSES_PER_TURN)) addProcess(uses, pid);
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

function addProcess(uses: Map<number, GroupUse>, pid: number): void {
  const stat = readProcess(pid);
  if (!stat) return;
  const use = uses.get(stat.group) ?? { rss: 0, processes: 0 };
  use.rss += stat.rss;
  if (!stat.isZombie) use.processes += 1;
  uses.set(stat.group, use);
}
