import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOLD_SECONDS } from '#db/queries/lease-breaker.ts';
import { expireLeases } from '#server/scheduler/expire-leases.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, type TestEngine } from '../../helpers/engine.ts';
import { runOutLeases } from '../../helpers/engine-model.ts';
import { createLogger } from '#server/log.ts';
import { Writable } from 'node:stream';

const database = await createTestDatabase();
const { db, pool } = database;
let app: TestApp;
let other: TestEngine;
let reader: string;
let logged: { level: string; msg: string; [field: string]: unknown }[];
const log = createLogger({
  level: 'info',
  format: 'json',
  destination: new Writable({
    write: (line, _encoding, done) => {
      logged.push(JSON.parse(String(line)));
      done();
    },
  }),
});
beforeAll(async () => {
  app = await startTestApp(database);
  other = createTestEngine(database);
  reader = await app.token('viewer');
  // A server has taken beats for long enough: the silence is not ours
  await pool.query(
    `insert into service_process (id, role, hostname, pid, version, alive_since, last_beat_at)
     values ($1, 'server', 'test', 1, 'test', now() - interval '1 h', now() + interval '1 h')`,
    [randomUUID()],
  );
});
beforeEach(() => {
  logged = [];
});
afterEach(async () => {
  const { rows } = await pool.query<{ id: number }>(`select id from dag_run where state in ('queued', 'running')`);
  for (const { id } of rows) await app.engine.cancelRun(id, 'test');
  await pool.query('delete from lease_breaker');
  await checkRuns(database);
});
afterAll(async () => {
  await app.stop();
  await other.stop();
});

/** A run whose `n` tasks all run. */
let runs = 0;
async function running(n: number): Promise<Dispatch[]> {
  const queue = `wide_${++runs}`;
  const tasks = Object.fromEntries(Array.from({ length: n }, (_, i) => [`t${i}`, { queue }]));
  const { dagId } = await app.engine.deploy(dagOf(queue, tasks));
  await app.engine.createRuns([{ dagId, kind: 'manual' }]);
  const workerId = await app.engine.worker();
  return app.engine.claim({ workerId, queues: [queue], limit: n });
}
const sweep = () => expireLeases({ db, engine: app.engine, log });
const sweepElsewhere = () => expireLeases({ db, engine: other, log });
const beat = (dispatches: Dispatch[]) =>
  app.engine.heartbeat({ workerId: null, dispatchIds: dispatches.map(({ dispatchId }) => dispatchId) });
/** As if so much time had passed since the first sweep; `silent` since the last one. */
const passTime = (seconds: number, silent = 0) =>
  pool.query(
    `update lease_breaker set since = since - $1 * interval '1 s', seen_at = clock_timestamp() - $2 * interval '1 s'`,
    [seconds, silent],
  );
const ended = async (dispatches: Dispatch[]) =>
  (
    await pool.query(`select from task_try where dispatch_id = any ($1::uuid[]) and cause = 'lease_expired'`, [
      dispatches.map(({ dispatchId }) => dispatchId.split('.')[3]),
    ])
  ).rowCount;
const health = async () =>
  (await app.graphql('{ serviceHealth { status heldLeases { since until silent live } } }', {}, reader)).data
    .serviceHealth;
const levels = () => logged.map(({ level }) => level);

describe('the sweep of leases', () => {
  it('ends the tries of a worker or two at once', async () => {
    const dispatches = await running(40);
    await runOutLeases({ database }, dispatches.slice(0, 10));
    await sweep();
    expect(await ended(dispatches)).toBe(10);
    expect(levels()).toEqual([]);
  });

  it('ends nothing while too many are silent, says so once and in the health, and goes on when the beats return', async () => {
    const dispatches = await running(40);
    expect(await health()).toMatchObject({ heldLeases: null });
    await runOutLeases({ database }, dispatches.slice(0, 20));
    await Promise.all([sweep(), sweepElsewhere(), sweep()]);
    await sweepElsewhere();
    expect(await ended(dispatches)).toBe(0);
    expect(levels()).toEqual(['error']);
    expect(logged[0]).toMatchObject({ live: 40, expired: 20, silent: 20, advice: expect.stringContaining('network') });
    const { status, heldLeases } = await health();
    expect({ status, heldLeases }).toMatchObject({ status: 'leases_held', heldLeases: { silent: 20, live: 40 } });
    expect(Date.parse(heldLeases.until) - Date.parse(heldLeases.since)).toBe(HOLD_SECONDS * 1000);

    await beat(dispatches.slice(0, 17));
    await sweep();
    expect(await ended(dispatches.slice(0, 17))).toBe(0);
    expect(await ended(dispatches)).toBe(3);
    expect(await health()).toMatchObject({ heldLeases: null });
    expect(levels()).toEqual(['error', 'info']);
  });

  it('sees those that fell silent together, though the first of them only has run out', async () => {
    const dispatches = await running(40);
    await pool.query(
      `update task_instance set deadline_at = clock_timestamp() + interval '10 s' where state = 'running' and run_id = $1`,
      [Number(dispatches[0]!.run.runId)],
    );
    await runOutLeases({ database }, dispatches.slice(0, 1));
    await sweep();
    expect(await ended(dispatches)).toBe(0);
    expect(levels()).toEqual(['error']);
  });

  it('ends them when the beats have stayed away too long', async () => {
    const dispatches = await running(40);
    await runOutLeases({ database }, dispatches);
    await sweep();
    await passTime(HOLD_SECONDS - 5);
    await sweep();
    expect(await ended(dispatches)).toBe(0);
    await passTime(10);
    await sweep();
    expect(await ended(dispatches)).toBe(40);
    expect(levels()).toEqual(['error', 'error']);
    await sweep();
    expect(await health()).toMatchObject({ heldLeases: null });
  });

  it('begins the wait anew after nobody swept for as long', async () => {
    const dispatches = await running(40);
    await runOutLeases({ database }, dispatches);
    await sweep();
    await passTime(3 * HOLD_SECONDS, 2 * HOLD_SECONDS);
    expect(await health()).toMatchObject({ heldLeases: null });
    await sweep();
    expect(await ended(dispatches)).toBe(0);
    expect(levels()).toEqual(['error', 'error']);
    expect(await health()).toMatchObject({ status: 'leases_held' });
  });
});
