/** B9: what a deployment costs while nothing is to be done: server, scheduler and worker as they are deployed, one process each. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '#db/client.ts';
import { createApiToken } from '#server/auth/users.ts';
import { startCli, type RunningCli } from '../../helpers/cli.ts';
import { treesOf } from '../engine-rounds.ts';
import { measure } from '../measure.ts';
import { cpuOf, residentOf } from '../proc.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';

const DATABASE = 'b9';
/** What a start leaves to do is done by then. */
const SETTLE_MS = 15_000;
const ROLES = ['server', 'scheduler', 'worker'] as const;
type Role = (typeof ROLES)[number];

interface Started {
  role: Role;
  cli: RunningCli;
  readyMs: number;
}

async function start(role: Role, env: { [name: string]: string }, ready: RegExp): Promise<Started & { seen: string }> {
  const begin = performance.now();
  const cli = startCli([role], env);
  const match = await cli.sees(ready);
  return { role, cli, readyMs: performance.now() - begin, seen: match[1] ?? '' };
}

async function startAll(bench: Bench, url: string): Promise<Started[]> {
  const home = (role: Role) => mkdtempSync(join(bench.postgres.dataDir, `${role}-`));
  const service = { DATABASE_URL: url, MILLRACE_SECRET_KEY: 'ab'.repeat(32), MILLRACE_PORT: '0' };
  const database = createDatabase(url);
  const { token } = await createApiToken(database.db, {
    ...{ name: 'worker', role: 'worker', expiresInDays: 1, actor: 'bench' },
  });
  await database.close();
  const server = await start('server', { ...service, MILLRACE_HOME: home('server') }, /"address":"([^"]+)"/);
  const scheduler = await start('scheduler', { ...service, MILLRACE_HOME: home('scheduler') }, /the scheduler (runs)/);
  const settings = { MILLRACE_URL: server.seen, MILLRACE_TOKEN: token, MILLRACE_HOME: home('worker') };
  return [server, scheduler, await start('worker', settings, /the worker (takes tasks)/)];
}

/** Transactions of the service's database: a query of one that is idle is a transaction of its own. */
async function transactions({ postgres }: Bench): Promise<number> {
  const { rows } = await postgres.admin.query<{ n: string }>(
    `select (xact_commit + xact_rollback)::text as n from pg_stat_database where datname = $1`,
    [DATABASE],
  );
  return Number(rows[0]?.n);
}

const pidOf = ({ cli }: Started): number => cli.child.pid ?? 0;

async function round(bench: Bench, rows: Rows, seconds: number): Promise<void> {
  const url = await bench.postgres.create(DATABASE);
  const started = await startAll(bench, url);
  try {
    await sleep(SETTLE_MS);
    const before = { queries: await transactions(bench), cpu: started.map((role) => cpuOf([pidOf(role)])) };
    const trees = treesOf(
      bench,
      started.map((role) => ({ pid: pidOf(role) })),
    );
    const { cost } = await measure(trees, () => sleep(seconds * 1000));
    // Postgres counts with a delay
    await sleep(1_500);
    rows.queries.values.push(((await transactions(bench)) - before.queries) / (seconds + 1.5));
    rows.database.values.push((cost.databaseCpu / (cost.wallMs * 1000)) * 100);
    started.forEach((role, i) => {
      const used = cpuOf([pidOf(role)]) - (before.cpu[i] ?? 0);
      rows.cpu[role.role].values.push((used / (cost.wallMs * 1000)) * 100);
      rows.memory[role.role].values.push(residentOf([pidOf(role)]) / 2 ** 20);
      rows.ready[role.role].values.push(role.readyMs);
    });
    bench.log(`B9: ${rows.queries.values.at(-1)?.toFixed(1)} queries/s`);
  } finally {
    for (const { cli } of started.reverse()) await cli.kill('SIGTERM');
    await bench.postgres.drop(DATABASE);
  }
}

type ByRole = { [R in Role]: Row };
const byRole = (make: (role: Role) => Row) => Object.fromEntries(ROLES.map((role) => [role, make(role)])) as ByRole;

const newRows = () => ({
  queries: newRow({ key: 'B9.queries', workload: 'transactions while idle', variant: 'r', unit: 'queries/s' }),
  database: newRow({
    key: 'B9.database',
    workload: 'CPU of Postgres while idle',
    side: 'Postgres',
    unit: '% of a core',
  }),
  cpu: byRole((side) => newRow({ key: 'B9.cpu', workload: 'CPU while idle', side, unit: '% of a core' })),
  memory: byRole((side) => newRow({ key: 'B9.memory', workload: 'memory of its own', side, unit: 'MiB' })),
  ready: byRole((side) => newRow({ key: 'B9.ready', workload: 'start → ready', side, unit: 'ms' })),
});
type Rows = ReturnType<typeof newRows>;

export const b9: Scenario = {
  id: 'B9',
  title: 'Nothing to do: one server, one scheduler, one worker',
  async run(bench) {
    const rows = newRows();
    for (let n = 0; n < (bench.options.rounds ?? 1); n++) await round(bench, rows, bench.options.quick ? 10 : 60);
    const { queries, database, ...each } = rows;
    return [queries, database, ...Object.values(each).flatMap((row) => Object.values(row))];
  },
};
