/** CPU and memory of a worker and of where it runs, once per beat. */
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WorkerUsage } from '#db/queries/worker.ts';
import { processIds } from '../runner/process-group.ts';
import { readProcess, type ProcessStat } from '../runner/process-stat.ts';
import { readCgroup } from './cgroup.ts';

/** Between two turns of the event loop, so that a machine with thousands of processes does not hold up a beat. */
const PROCESSES_PER_TURN = 200;

/** Each call says what was used since the one before. */
export function createUsageMeter(now: () => number = () => performance.now()): () => Promise<WorkerUsage> {
  const own = createRate(now);
  const all = createRate(now);
  return async () => {
    const group = readCgroup();
    const tree = await useOfTree(process.pid);
    const isLimited = group.cpus !== null && group.cpuSeconds !== null;
    const isMemoryLimited = group.memoryLimit !== null && group.memoryUsed !== null && group.memoryLimit < totalmem();
    return {
      cpus: group.cpus ?? availableParallelism(),
      cpuUsed: all(isLimited ? group.cpuSeconds! : machineCpuSeconds()),
      load: loadavg()[0] ?? 0,
      memoryLimit: isMemoryLimited ? group.memoryLimit! : totalmem(),
      memoryUsed: isMemoryLimited ? group.memoryUsed! : totalmem() - availableMemory(),
      ownCpu: own(tree.cpu),
      ownMemory: tree.rss,
    };
  };
}

/** From a sum of seconds to how many CPUs that was; null the first time. */
function createRate(now: () => number): (seconds: number) => number | null {
  let before: { seconds: number; at: number } | null = null;
  return (seconds) => {
    const last = before;
    before = { seconds, at: now() };
    if (!last || before.at <= last.at) return null;
    // Who ended without being waited for takes its seconds along
    const rate = Math.max(0, seconds - last.seconds) / ((before.at - last.at) / 1000);
    return Math.round(rate * 1000) / 1000;
  };
}

/** Of a process and all below it, what has left its process group too. */
async function useOfTree(root: number): Promise<{ cpu: number; rss: number }> {
  const stats = await readProcesses();
  if (stats.size === 0) {
    const { user, system } = process.cpuUsage();
    return { cpu: (user + system) / 1e6, rss: process.memoryUsage.rss() };
  }
  const below = new Map<number, number[]>();
  for (const [pid, { parent }] of stats) below.set(parent, [...(below.get(parent) ?? []), pid]);
  const sum = { cpu: 0, rss: 0 };
  const left = [root];
  for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
    const stat = stats.get(pid);
    sum.cpu += stat?.cpu ?? 0;
    sum.rss += stat?.rss ?? 0;
    left.push(...(below.get(pid) ?? []));
  }
  return sum;
}

async function readProcesses(): Promise<Map<number, ProcessStat>> {
  const stats = new Map<number, ProcessStat>();
  const pids = processIds();
  for (let from = 0; from < pids.length; from += PROCESSES_PER_TURN) {
    if (from > 0) await nextTurn();
    for (const pid of pids.slice(from, from + PROCESSES_PER_TURN)) {
      const stat = readProcess(pid);
      if (stat) stats.set(pid, stat);
    }
  }
  return stats;
}

const machineCpuSeconds = (): number =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;

/** What can be had without swapping: `free` leaves out caches that can be dropped. */
function availableMemory(): number {
  try {
    const kib = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    return kib === undefined ? freemem() : Number(kib) * 1024;
  } catch {
    return freemem();
  }
}
