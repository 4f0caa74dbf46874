/**
 * A daily ETL: three sources go into a warehouse, are cleaned and joined there, and the result is counted.
 *
 *   extract_weather  ─┐
 *   extract_flights  ─┼─ clean ── write_table ── check_counts ── report
 *   extract_airports ─┘
 *
 * The tasks hand each other counts, not rows: data stays in the warehouse, results stay small.
 * The warehouse is the Postgres of MILLRACE_WAREHOUSE_URL in the worker's environment. `millrace start` gives the tasks a database
 * of its own for it, with a role that cannot see Millrace's tables.
 */
import { readFile } from 'node:fs/promises';
import { dag, failTask, type TaskContext } from 'millrace';
import pg from 'pg';
import { z } from 'zod';

// Real files of the npm package vega-datasets. They travel with the DAG, so the tasks run on any worker.
const WEATHER = 'vega-datasets/data/weather.csv';
const FLIGHTS = 'vega-datasets/data/flights-20k.json';
const AIRPORTS = 'vega-datasets/data/airports.csv';

export default dag(
  'etl_daily',
  {
    description: 'How late do flights leave, by airport and month, and what is the weather there?',
    tags: ['example', 'etl'],
    schedule: '@daily',
    start: '2026-01-01',
    dataIntervals: true,
    retries: 2,
    retryDelay: '10s',
    executionTimeout: '2m',
    // The staging tables are shared, so one run at a time.
    maxActiveRuns: 1,
    files: [WEATHER, FLIGHTS, AIRPORTS],
    params: z.object({
      lateAfter: z.number().int().min(0).default(15).describe('Minutes of delay from which a flight counts as late'),
    }),
  },
  ({ task, bash }) => {
    const weather = task('extract_weather', async ({ ctx }) =>
      stage(ctx, 'weather', 'location text, date date, precipitation real, temp_max real', await readCsv(ctx, WEATHER)),
    );
    const flights = task('extract_flights', async ({ ctx }) => {
      const rows = JSON.parse(await readFile(ctx.file(FLIGHTS), 'utf8')) as object[];
      return stage(ctx, 'flights', 'date text, delay int, distance int, origin text, destination text', rows);
    });
    const airports = task('extract_airports', async ({ ctx }) =>
      stage(ctx, 'airports', 'iata text, name text, city text, state text', await readCsv(ctx, AIRPORTS)),
    );

    // The names of the inputs are the names of the arguments, and their types are what those tasks return.
    const clean = task('clean', { weather, flights, airports }, async ({ weather, flights, airports, ctx }) => {
      ctx.log.info(`Staged ${weather} days of weather, ${flights} flights, ${airports} airports.`);
      return inWarehouse(ctx, async (warehouse) => {
        const strays = await warehouse.query(
          `delete from staging_flights where delay is null or abs(delay) > 1440
             or origin not in (select iata from staging_airports)`,
        );
        const twice = await warehouse.query(
          `delete from staging_flights flight using (
             select ctid, row_number() over (partition by date, origin, destination, distance) as nth from staging_flights
           ) copies where flight.ctid = copies.ctid and copies.nth > 1`,
        );
        return { flights: flights - (strays.rowCount ?? 0) - (twice.rowCount ?? 0) };
      });
    });

    const written = task('write_table', { clean }, ({ params, ctx }) =>
      inWarehouse(ctx, async (warehouse) => {
        // One transaction: readers see the old table or the new one, never half of it.
        await warehouse.query('begin');
        await warehouse.query('drop table if exists airport_months');
        const { rowCount } = await warehouse.query(AIRPORT_MONTHS, [params.lateAfter]);
        await warehouse.query('commit');
        return rowCount ?? 0;
      }),
    );

    const checked = task('check_counts', { clean, written }, ({ clean, written, ctx }) =>
      inWarehouse(ctx, async (warehouse) => {
        const { rows } = await warehouse.query<{ count: number; flights: number; nameless: number }>(
          `select count(*)::int as count, sum(flights)::int as flights, count(*) filter (where name is null)::int as nameless
           from airport_months`,
        );
        const [found] = rows;
        // Another try would find the same, so this fails for good.
        if (found?.count !== written || found.flights !== clean.flights || found.nameless > 0)
          failTask(`Expected ${written} rows with ${clean.flights} flights, found ${JSON.stringify(found)}.`);
        return found;
      }),
    );

    bash('report', {
      inputs: { CHECKED: checked },
      command: 'echo "{{ run_id }}: airport_months is complete: $CHECKED"',
    });
  },
);

/** `create table as` tells how many rows it wrote. Weather is known for two cities only; the others get null. */
const AIRPORT_MONTHS = `
  create table airport_months as
  with monthly_weather as (
    select location as city, extract(month from date)::int as month, avg(temp_max) as temp_max,
           avg((precipitation > 0)::int) as wet_days
    from staging_weather group by 1, 2
  ), monthly_flights as (
    select origin as airport, substr(date, 6, 2)::int as month, count(*)::int as flights,
           avg(delay)::real as mean_delay, avg((delay > $1::int)::int)::real as late_share
    from staging_flights group by 1, 2
  )
  select f.*, a.name, a.city, a.state, w.temp_max::real, w.wet_days::real
  from monthly_flights f join staging_airports a on a.iata = f.airport
  left join monthly_weather w using (city, month)`;

async function inWarehouse<T>(ctx: TaskContext, work: (warehouse: pg.Client) => Promise<T>): Promise<T> {
  const url = ctx.env['MILLRACE_WAREHOUSE_URL'];
  if (!url) failTask('Set MILLRACE_WAREHOUSE_URL=postgres://… in the environment of the worker.');
  const warehouse = new pg.Client({ connectionString: url, application_name: `${ctx.ti.dagId}.${ctx.ti.taskId}` });
  await warehouse.connect();
  try {
    return await work(warehouse);
  } finally {
    await warehouse.end();
  }
}

/** Fills `staging_<name>` anew and returns the number of rows. A retry starts from the beginning, so it may run twice. */
function stage(ctx: TaskContext, name: string, columns: string, rows: readonly object[]): Promise<number> {
  return inWarehouse(ctx, async (warehouse) => {
    await warehouse.query(`create table if not exists staging_${name} (${columns})`);
    await warehouse.query(`truncate staging_${name}`);
    const insert = `insert into staging_${name} select * from jsonb_to_recordset($1) as source (${columns})`;
    const { rowCount } = await warehouse.query(insert, [JSON.stringify(rows)]);
    ctx.log.info(`Staged ${rowCount} rows of ${name}.`);
    return rowCount ?? 0;
  });
}

async function readCsv(ctx: TaskContext, name: string): Promise<{ [column: string]: string }[]> {
  const [header = '', ...lines] = (await readFile(ctx.file(name), 'utf8')).trim().split(/\r?\n/);
  const columns = header.split(',');
  return lines.map((line) => {
    // A comma inside quotes does not separate.
    const cells = (line.match(/("[^"]*"|[^,]*)(,|$)/g) ?? []).map((cell) => cell.replace(/,$/, '').replaceAll('"', ''));
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']));
  });
}
