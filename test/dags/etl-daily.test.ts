import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ensureWarehouse } from '#db/warehouse.ts';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import { unpackBundle } from '#server/bundles/unpack-bundle.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, Json, XComValue } from '#sdk/protocol.ts';
import { failureOf, runTypeScriptTask } from '#sdk/run-task.ts';
import { topologicalOrder } from '#sdk/task-graph.ts';

const NAME = `warehouse_${process.pid}`;
let dir: string;
let spec: DagSpec;
let module: object;
let warehouseUrl: string;

const query = async (url: string, sql: string) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as { [column: string]: unknown }[];
  } finally {
    await client.end();
  }
};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-etl-'));
  const loaded = await loadDagFile(join(import.meta.dirname, '../../dags/etl_daily.ts'));
  expect(loaded.errors).toEqual([]);
  const [dag] = loaded.dags;
  spec = dag!.spec;
  await unpackBundle(dag!.bundle!.archive, dir);
  module = (await import(pathToFileURL(join(dir, 'dag.mjs')).href)) as object;
  warehouseUrl = await ensureWarehouse(inject('postgresUrl'), NAME);
});
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await query(inject('postgresUrl'), `drop database ${NAME} with (force)`);
  await query(inject('postgresUrl'), `drop role ${NAME}`);
});

function runTask(index: number, xcoms: XComValue[], env: { [name: string]: string }): Promise<Json> {
  const task = spec.tasks[index]!;
  const run = { params: { lateAfter: 15 }, conf: {} };
  const dispatch = { dagId: spec.dagId, taskId: task.taskId, tryNumber: 1, task, run, xcoms } as unknown as Dispatch;
  const host = { signal: new AbortController().signal, bundleDir: dir, env, xcomPush: () => undefined };
  return runTypeScriptTask(module, dispatch, host);
}

async function runAll(): Promise<Map<string, Json>> {
  const results: XComValue[] = [];
  const indexOf = new Map(spec.tasks.map((task, index) => [task.taskId, index]));
  for (const index of topologicalOrder(spec.tasks.map((task) => task.upstream.map((id) => indexOf.get(id) ?? -1)))) {
    const { taskId, kind } = spec.tasks[index]!;
    if (kind !== 'typescript') continue;
    const value = await runTask(index, results, { MILLRACE_WAREHOUSE_URL: warehouseUrl });
    results.push({ taskId, mapIndex: -1, key: 'return_value', value });
  }
  return new Map(results.map(({ taskId, value }) => [taskId, value]));
}

test('etl_daily fills the warehouse, and a second run gives the same', async () => {
  const results = await runAll();
  expect(results.get('extract_weather')).toBe(2922);
  expect(results.get('extract_flights')).toBe(20_000);
  const checked = results.get('check_counts') as { count: number; flights: number };
  expect(checked.count).toBe(results.get('write_table'));
  expect(checked.count).toBeGreaterThan(300);
  const rows = await query(
    warehouseUrl,
    `select city, month, flights, wet_days from airport_months where airport = 'SEA' order by month`,
  );
  expect(rows.map((row) => [row['city'], row['month']])).toEqual([
    ['Seattle', 1],
    ['Seattle', 2],
    ['Seattle', 3],
  ]);
  expect(rows.every((row) => Number(row['flights']) > 0 && Number(row['wet_days']) > 0.2)).toBe(true);
  expect(await runAll()).toEqual(results);
});

test('a wrong table is noticed', async () => {
  await query(warehouseUrl, 'delete from airport_months where month = 1');
  const index = spec.tasks.findIndex((task) => task.taskId === 'check_counts');
  const xcoms = [
    { taskId: 'clean', mapIndex: -1, key: 'return_value', value: { flights: 20_000 } },
    { taskId: 'write_table', mapIndex: -1, key: 'return_value', value: 600 },
  ];
  const error = await runTask(index, xcoms, { MILLRACE_WAREHOUSE_URL: warehouseUrl }).catch(
    (thrown: unknown) => thrown,
  );
  expect(failureOf(error)).toMatchObject({
    outcome: 'failed',
    retryable: false,
    message: expect.stringMatching(/^Expected 600 rows with 20000 flights, found/) as string,
  });
});

test('without a warehouse it says what to set', async () => {
  await expect(runTask(0, [], {})).rejects.toThrow(/Set MILLRACE_WAREHOUSE_URL=postgres/);
});

test("the warehouse's role cannot reach Millrace's own database, and keeps its tables when it is set up again", async () => {
  const own = new URL(warehouseUrl);
  own.pathname = new URL(inject('postgresUrl')).pathname;
  await expect(query(own.href, 'select 1')).rejects.toThrow(/permission denied for database/);
  await query(warehouseUrl, 'create table kept (id int)');
  const again = await ensureWarehouse(inject('postgresUrl'), NAME);
  expect(await query(again, 'select * from kept')).toEqual([]);
});
