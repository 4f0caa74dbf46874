/** What Linux tells of processes in /proc. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts CPU time in these where it keeps no finer account. */
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const US_PER_TICK = 1_000_000 / TICKS_PER_SECOND;

/** Null: it has just ended. */
function readGone(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

interface ProcessStat {
  pid: number;
  parent: number;
  /** Of children that it has waited for, microseconds. */
  reaped: number;
}

function readStat(pid: string): ProcessStat | null {
  const text = readGone(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name may hold blanks and brackets; what follows its last ")" begins with field 3
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0, user = 0, system = 0] = [fields[1], fields[13], fields[14]];
  return { pid: Number(pid), parent, reaped: (user + system) * US_PER_TICK };
}

/** These processes and all below them, as they are now. */
function tree(roots: readonly number[]): ProcessStat[] {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readStat(name) ?? []) : []));
  const wanted = new Set(roots);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of all) {
      if (!wanted.has(parent) || wanted.has(pid)) continue;
      wanted.add(pid);
      grown = true;
    }
  }
  return all.filter(({ pid }) => wanted.has(pid));
}

/** Microseconds that the living threads of a process have run: the scheduler's own account, in nanoseconds. */
function threadsOf(pid: number): number {
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readGone(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return nanoseconds / 1000;
}

/** Microseconds of CPU that these trees have used so far. */
export const cpuOf = (roots: readonly number[]): number =>
  tree(roots).reduce((sum, { pid, reaped }) => sum + threadsOf(pid) + reaped, 0);

/** Microseconds of CPU that the whole machine has used so far (steal counts: somebody else had it). */
export function machineCpu(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .slice(4)
    .trim()
    .split(/\s+/, 8)
    .map(Number);
  return [user, nice, system, irq, softirq, steal].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0) * US_PER_TICK;
}

/** Bytes resident now: private memory plus, once, the largest shared part (Postgres' buffers). */
export function residentOf(roots: readonly number[]): number {
  let own = 0;
  let shared = 0;
  for (const { pid } of tree(roots)) {
    const kilobytes = (name: string, text: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    const status = readGone(`/proc/${pid}/status`) ?? '';
    own += kilobytes('RssAnon', status);
    shared = Math.max(shared, kilobytes('RssShmem', status));
  }
  return (own + shared) * 1024;
}
