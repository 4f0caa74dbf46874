import type pg from 'pg';

/** Serialises the makers of partitions; any constant does. */
const LOCK = 7_264_001;
const WEEKS_AHEAD = 5;

/** Storage of a partition by its parent: rows of task_instance are updated in place several times (HOT). */
const PARTITIONED: { [table: string]: string } = {
  task_instance: 'with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)',
  task_try: '',
  xcom: '',
  log_chunk: '',
  event: '',
};

interface Week {
  name: string;
  from: string;
  to: string;
}

/** Weeks begin on Monday; a run id carries its day in the bits above 36. */
export function weekOf(at: Date, offset = 0): Week {
  const day = Math.floor(at.getTime() / 86_400_000);
  const start = day - ((day + 3) % 7) + offset * 7;
  return {
    name: new Date(start * 86_400_000).toISOString().slice(0, 10).replaceAll('-', ''),
    from: (BigInt(start) << 36n).toString(),
    to: (BigInt(start + 7) << 36n).toString(),
  };
}

/** Makes the partitions of this week and the next five. Safe to call at any time by any number of processes. */
export async function ensurePartitions(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    const { rows } = await client.query<{ now: Date; names: string[] }>(
      `select now() as now, coalesce(array_agg(c.relname::text), '{}') as names
       from pg_inherits i join pg_class c on c.oid = i.inhrelid
       join pg_class p on p.oid = i.inhparent where p.relname = any ($1)`,
      [Object.keys(PARTITIONED)],
    );
    const { now, names } = rows[0]!;
    for (let offset = 0; offset <= WEEKS_AHEAD; offset++) {
      const week = weekOf(now, offset);
      for (const [table, storage] of Object.entries(PARTITIONED)) {
        if (names.includes(`${table}_${week.name}`)) continue;
        await client.query(
          `create table ${table}_${week.name} partition of ${table} for values from (${week.from}) to (${week.to}) ${storage}`,
        );
      }
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error('Cannot create the partitions of the coming weeks.', { cause: error });
  } finally {
    client.release();
  }
}
