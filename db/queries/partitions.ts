import type pg from 'pg';

/** Serialises the makers of partitions; any constant does. */
export const PARTITIONS_LOCK = 7_264_001;
/**
 * Days of runs in a partition, and how many partitions are made ahead. Each one costs every statement some microseconds, whether it
 * is touched or not; each one is what retention can drop at once.
 */
const SPAN_DAYS = 28;
const AHEAD = 1;

/** Storage of a partition by its parent: rows of task_instance are updated in place several times (HOT). */
export const PARTITIONED: { [table: string]: string } = {
  task_instance: 'with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)',
  task_try: '',
  task_relaunch: '',
  task_poke: '',
  xcom: '',
  map_item: '',
  task_rendered: '',
  launch_record: '',
  artifact: '',
  log_chunk: '',
  log_archive: '',
  event: '',
};

interface Span {
  name: string;
  from: string;
  to: string;
}

/** Spans begin on a Monday; a run id carries its day in the bits above 36. */
export function spanOf(at: Date, offset = 0): Span {
  const day = Math.floor(at.getTime() / 86_400_000);
  const start = day - ((day + 3) % SPAN_DAYS) + offset * SPAN_DAYS;
  return {
    name: new Date(start * 86_400_000).toISOString().slice(0, 10).replaceAll('-', ''),
    from: (BigInt(start) << 36n).toString(),
    to: (BigInt(start + SPAN_DAYS) << 36n).toString(),
  };
}

/** Where a table that came later lacks one, runs of before could not write to it: each span of task_instance has all tables. */
const EXISTING = `
  select now() as now, coalesce(json_agg(json_build_object('table', p.relname, 'partition', c.relname,
    'bounds', substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM.*'))), '[]') as existing
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
    join pg_class p on p.oid = i.inhparent
  where p.relname = any ($1)`;

interface Existing {
  table: string;
  partition: string;
  /** `FROM ('…') TO ('…')`. */
  bounds: string;
}

/** Makes the partitions of this span of days, of the next, and of former ones that have runs. Safe to call at any time by any number of processes. */
export async function ensurePartitions(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [PARTITIONS_LOCK]);
    // A new partition locks its parent: whoever waits for that behind a long transaction makes all others wait behind it
    await client.query(`set local lock_timeout = '3s'`);
    const { rows } = await client.query<{ now: Date; existing: Existing[] }>(EXISTING, [Object.keys(PARTITIONED)]);
    const { now, existing } = rows[0]!;
    const names = new Set(existing.map(({ partition }) => partition));
    for (const [name, bounds] of spansToHave(now, existing))
      for (const [table, storage] of Object.entries(PARTITIONED)) {
        if (names.has(`${table}_${name}`)) continue;
        await client.query(`create table ${table}_${name} partition of ${table} for values ${bounds} ${storage}`);
      }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error('Cannot create the partitions of the coming days.', { cause: error });
  } finally {
    client.release();
  }
}

/** Bounds by the name of the span. */
function spansToHave(now: Date, existing: readonly Existing[]): Map<string, string> {
  const former = existing.filter(({ table }) => table === 'task_instance');
  const spans = new Map(former.map(({ partition, bounds }) => [partition.slice('task_instance_'.length), bounds]));
  for (let offset = 0; offset <= AHEAD; offset++) {
    const { name, from, to } = spanOf(now, offset);
    if (!spans.has(name)) spans.set(name, `from (${from}) to (${to})`);
  }
  return spans;
}
