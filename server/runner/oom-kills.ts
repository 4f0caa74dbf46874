import { readFileSync } from 'node:fs';

/** Tells whether the kernel has killed for want of memory since a moment in the past. */
export interface OomMark {
  /** True also where the kernel does not tell. */
  killedSince(): boolean;
}

/** The counter is of the whole machine and costs more to read than a short task: a mark may be this old. */
const MARK_AGE_MS = 1_000;
let marked: { at: number; count: number | null } | undefined;

export function markOomKills(): OomMark {
  const now = performance.now();
  if (!marked || now - marked.at > MARK_AGE_MS) marked = { at: now, count: oomKills() };
  const { count } = marked;
  return {
    killedSince: () => {
      const later = oomKills();
      return count === null || later === null || later > count;
    },
  };
}

function oomKills(): number | null {
  try {
    const match = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1'));
    return match ? Number(match[1]) : null;
  } catch {
    // Not Linux, or hidden.
    return null;
  }
}
