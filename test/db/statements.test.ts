import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { ENGINE_SETTINGS } from '../../db/engine/connections.ts';
import { PARTITIONED } from '../../db/queries/partitions.ts';
import { finishTasks } from '../../db/queries/task-transitions/finish-tasks.ts';
import type { Statement } from '../../db/queries/task-transitions/statement.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, work } from '../helpers/engine.ts';

const folder = join(import.meta.dirname, '../../db/queries/task-transitions');
const modules = await Promise.all(
  readdirSync(folder).map(async (file) => (await import(join(folder, file))) as { [name: string]: unknown }),
);
const isStatement = (value: unknown): value is Statement =>
  typeof value === 'object' && value !== null && 'name' in value && 'text' in value;
const exported = modules.flatMap((module) => Object.values(module).filter(isStatement));
const bits = [false, true];
const finishes = bits.flatMap((plain) =>
  bits.flatMap((xcoms) =>
    bits.flatMap((rest) =>
      bits.map((unusual) =>
        finishTasks({
          plain: plain && !unusual,
          special: unusual && !plain,
          xcoms,
          artifacts: rest && xcoms,
          retries: rest && !plain,
          extra: rest && !plain,
          ready: rest,
          waiting: rest,
        }),
      ),
    ),
  ),
);

describe('the statements of the engine', () => {
  it('are all here', () => {
    expect(exported.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'lock_ready',
        'claim_tasks',
        'lock_queued_runs',
        'start_runs',
        'lock_runs',
        'renew_leases',
      ]),
    );
  });

  // Such a statement brings PostgreSQL 18 down when a row changes under it: docs/adr/0006-no-rechecks.md
  it.each([...exported, ...finishes])('$name locks no rows where it touches a partitioned table', ({ text }) => {
    const locks = /\bfor\s+(no\s+key\s+update|update|key\s+share|share)\b/i.test(text);
    const partitioned = Object.keys(PARTITIONED).filter((table) => new RegExp(`\\b${table}\\b`).test(text));
    expect(locks ? partitioned : []).toEqual([]);
  });
});

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Cond'?: string;
  Plans?: Plan[];
}
const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
const LARGE = /^(task_instance|task_try|task_relaunch|xcom|map_item|event|log_chunk)_|^(dag_run|dag_version_task)$/;
/** By its whole key, but for those that want all tasks of a version or a run. */
const KEYED = /^(task_instance_|task_try_|xcom_|dag_version_task$)/;
const WANT_ALL: { [statement: string]: RegExp } = {
  create_runs: /^dag_version_task$/,
  start_runs: /^dag_version_task$/,
  review_tasks: /^task_instance_/,
  review_waits: /^task_instance_/,
  end_run: /^task_instance_/,
  expand_tasks: /^task_try_/,
  find_unexpanded: /^dag_version_task$/,
};
/** They walk the live runs, by an index that holds no others. */
const WALKS_RUNS = ['expired_leases', 'tasks_of_workers', 'undelivered_tasks', 'overdue_runs'];

describe('the plans of the statements', async () => {
  const database = await createTestDatabase();
  const options = ENGINE_SETTINGS.map((setting) => `-c ${setting}`).join(' ');
  const client = new pg.Client({ connectionString: database.url, options });
  await client.connect();
  // What LOCK_READY and LOCK_QUEUED_RUNS leave for the statement after them
  await client.query(`set millrace.claim = '[]'; set millrace.start = '{}'`);
  afterAll(() => client.end());

  /** Scans of large tables that look nothing up. */
  async function fullScans({ name, text }: Statement): Promise<string[]> {
    // Nothing is lost by walking through a partition of the future
    const { rows: empty } = await client.query<{ relname: string }>('select relname from pg_class where reltuples = 0');
    const isEmpty = (table: string) => empty.some(({ relname }) => relname === table);
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `explain (generic_plan, format json) ${text}`,
    );
    return nodesOf(rows[0]!['QUERY PLAN'][0].Plan).flatMap((node) => {
      const table = node['Relation Name'] ?? '';
      const byKey = KEYED.test(table) && !WANT_ALL[name]?.test(table) ? /\btask_index\b/ : /./;
      const looksUp = !node['Node Type'].includes('Scan') || byKey.test(node['Index Cond'] ?? '');
      return LARGE.test(table) && !isEmpty(table) && !looksUp ? [`${node['Node Type']} of ${table}`] : [];
    });
  }
  const looked = [...exported.filter(({ name }) => !WALKS_RUNS.includes(name)), ...finishes];

  it.each(looked)('$name looks keys up in a database that nothing is known of', async (statement) => {
    expect(await fullScans(statement)).toEqual([]);
  });

  it('look keys up in a small one that everything is known of', async () => {
    const engine = createTestEngine(database);
    const chain = Array.from({ length: 12 }, (_, i) => [`t${i}`, i === 0 ? [] : [`t${i - 1}`]] as const);
    const { dagId } = await engine.deploy(dagOf('small', Object.fromEntries(chain.map(([id, up]) => [id, [...up]]))));
    for (const other of ['b', 'c', 'd']) await engine.deploy(dagOf(other, { a: [], b: [], c: [] }));
    await engine.createRuns([1, 2, 3].map(() => ({ dagId, kind: 'manual' as const })));
    await work(engine, await engine.worker());
    await engine.stop();
    await client.query('analyze');
    const found = await Promise.all(looked.map(async (one) => [one.name, await fullScans(one)] as const));
    expect(found.filter(([, scans]) => scans.length > 0)).toEqual([]);
  });
});
