/** L1: what a service reaches that writes each step of each task in a transaction of its own: one insert, three updates. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { withClient } from '../engine-rounds.ts';
import { versionOf } from '../machine.ts';
import { quiet, roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Scenario } from '../scenario.ts';

const CLIENTS = 16;
const TABLE = `create table task (id bigint primary key, state smallint not null, queued_at timestamptz, started_at timestamptz,
  ended_at timestamptz) with (fillfactor = 70)`;

/** Tasks per second over so many seconds. */
type Runner = (url: string, seconds: number) => Promise<number>;

async function runPgbench(url: string, seconds: number): Promise<number> {
  const script = fileURLToPath(new URL('l1.sql', import.meta.url));
  const args = ['-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', '2', '-T', String(seconds), '-f', script, url];
  const child = spawn('pgbench', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (data) => (said += String(data)));
  child.stderr.on('data', (data) => (said += String(data)));
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  const tps = /^tps = ([\d.]+)/m.exec(said)?.[1];
  if (tps === undefined) throw new Error(`pgbench gave no figure: ${said}`);
  return Number(tps);
}

/** The same loop where there is no pgbench. */
async function runLoop(url: string, seconds: number): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      return client;
    }),
  );
  const statements = [
    'insert into task (id, state) values ($1, 0)',
    'update task set state = 1, queued_at = now() where id = $1',
    'update task set state = 2, started_at = now() where id = $1',
    'update task set state = 3, ended_at = now() where id = $1',
  ].map((text, i) => ({ name: `l1_${i}`, text }));
  const begin = performance.now();
  let tasks = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() - begin < seconds * 1000) {
        const values = [Math.floor(Math.random() * 2 ** 52)];
        for (const statement of statements) await client.query({ ...statement, values });
        tasks++;
      }
    }),
  );
  const elapsed = performance.now() - begin;
  await Promise.all(clients.map((client) => client.end()));
  return (tasks / elapsed) * 1000;
}

function contender(bench: Bench): Contender {
  const version = versionOf('pgbench');
  const [run, tool]: [Runner, string] = version ? [runPgbench, 'pgbench -M prepared'] : [runLoop, 'a loop over pg'];
  const row = newRow({
    key: 'L1',
    workload: `insert + 3 updates, 4 commits a task, ${CLIENTS} clients`,
    side: `L1, ${tool}`,
    unit: 'tasks/s',
  });
  return {
    row,
    async round() {
      const url = await bench.postgres.create('l1', 'empty');
      try {
        await withClient(url, (client) => client.query(TABLE));
        await quiet(bench);
        row.values.push(await run(url, bench.options.quick ? 1 : 3));
        bench.log(`L1: ${row.values.at(-1)?.toFixed(0)} tasks/s`);
      } finally {
        await bench.postgres.drop('l1');
      }
    },
  };
}

export const l1: Scenario = {
  id: 'L1',
  title: 'Limit: four commits a task',
  run: (bench) => takeTurns(bench, roundsOf(bench, 5, 2), [contender(bench)]),
};
