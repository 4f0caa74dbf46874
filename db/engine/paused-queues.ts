/** Which queues are paused, for hand-overs: what is claimed asks the table itself. */
import type pg from 'pg';

/** How old it may be when nobody has told of a change: a notification may have been lost. */
const STALE_MS = 5_000;

export interface PausedQueues {
  /** At once, but for the first time. */
  current(): Promise<ReadonlySet<string>>;
  reload(): Promise<ReadonlySet<string>>;
}

export function createPausedQueues(pool: pg.Pool, onError: (error: unknown) => void): PausedQueues {
  let known: { names: ReadonlySet<string>; asked: number; at: number } | null = null;
  let asked = 0;

  const reload = async () => {
    const mine = ++asked;
    const { rows } = await pool.query<{ name: string }>({
      name: 'paused_queues',
      text: 'select name from queue where paused_at is not null',
    });
    const names = new Set(rows.map((row) => row.name));
    // An answer that was overtaken may be older than what is known
    if (!known || known.asked < mine) known = { names, asked: mine, at: performance.now() };
    return known.names;
  };

  return {
    reload,
    async current() {
      if (!known) return reload();
      if (performance.now() - known.at > STALE_MS) {
        known = { ...known, at: performance.now() };
        reload().catch(onError);
      }
      return known.names;
    },
  };
}
