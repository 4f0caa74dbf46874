/** Which queues are paused, for hand-overs and brokers: what is claimed from the table asks it itself. */
import type pg from 'pg';

/** How old it may be when nobody has told of a change: a notification may have been lost. */
const STALE_MS = 5_000;

export interface PausedQueues {
  /** At once, but for the first time and while it is read again. */
  current(): Promise<ReadonlySet<string>>;
  reload(): Promise<ReadonlySet<string>>;
}

export function createPausedQueues(pool: pg.Pool): PausedQueues {
  let known: { names: ReadonlySet<string>; asked: number; at: number } | null = null;
  let asked = 0;
  let loading: Promise<ReadonlySet<string>> | null = null;

  const load = async () => {
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
  const reload = () => {
    const mine = load().finally(() => {
      if (loading === mine) loading = null;
    });
    return (loading = mine);
  };

  return {
    reload,
    async current() {
      if (loading) return loading;
      return known && performance.now() - known.at < STALE_MS ? known.names : reload();
    },
  };
}
