/** kill -9 of each piece in mid-run: every run finishes, no outcome is accepted twice, nothing runs twice without a try for it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEngine } from '../../db/engine/engine.ts';
import { deployDag } from '../../db/queries/dag.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { dagOf } from '../helpers/engine.ts';
import { createService, type Piece, type Service } from '../helpers/service.ts';
import { waitFor } from '../helpers/wait-for.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-witness-'));
const witness = join(folder, 'starts');
writeFileSync(witness, '');
let service: Service;
beforeAll(async () => {
  service = await createService();
});
afterAll(async () => {
  const at = performance.now();
  await service.stop();
  console.log('stopped in', performance.now() - at);
  rmSync(folder, { recursive: true, force: true });
});

/** Says that it runs, by itself; a first try in five fails. */
const command = `echo "$MILLRACE_RUN_ID $MILLRACE_TASK_ID $MILLRACE_TRY_NUMBER" >> ${witness}
sleep 0.1; [ "$MILLRACE_TRY_NUMBER" -gt 1 ] || [ $((\${MILLRACE_TASK_ID#t} % 5)) -ne 0 ]`;

/** Eight lines of five tasks that meet in the end. */
function lines() {
  const tasks: Parameters<typeof dagOf>[1] = {};
  for (let i = 0; i < 40; i++) {
    tasks[`t${i}`] = { upstream: i < 8 ? [] : [`t${i - 8}`], retries: 6, command };
  }
  tasks['end'] = { kind: 'empty', upstream: Array.from({ length: 8 }, (_, i) => `t${32 + i}`) };
  return dagOf('lines', tasks, { maxActiveRuns: 4 });
}

it('survives the death of every piece', { timeout: 120_000 }, async () => {
  const { url, db, pool } = service.database();
  const { dagId } = await deployDag(db, { spec: lines(), bundle: null, actor: 'test' });
  const engine = createEngine({ url, db, pool, onError: (error) => console.error(error) });
  await engine.createRuns(Array.from({ length: 8 }, () => ({ dagId, kind: 'manual' as const })));
  await engine.stop();
  const pieces: Piece[] = ['server', 'scheduler', 'worker-a', 'worker-b'];
  await service.start('server');
  await Promise.all(pieces.slice(1).map((piece) => service.start(piece)));
  const started = performance.now();
  const note = (what: string) => console.log(`${((performance.now() - started) / 1000).toFixed(1)} s: ${what}`);
  const finished = async () => {
    const { rows } = await service.database().pool.query<{ ended: number; success: number }>(
      `select (select count(*)::int from dag_run where ended_at is not null) as ended,
         (select count(*)::int from task_instance where state = 'success') as success`,
    );
    return rows[0]!;
  };
  let seen = 0;
  const progress = async (by: number) => {
    const goal = seen + by;
    await waitFor(async () => (seen = (await finished()).success) >= goal, {
      timeoutMs: 60_000,
      what: `${by} more tasks`,
    });
    note(`${seen} tasks done`);
  };

  await progress(10);
  for (const piece of ['server', 'worker-a', 'scheduler', 'worker-b'] as const) {
    await service.kill(piece);
    note(`killed ${piece}`);
    await sleep(100);
    await service.start(piece);
    await progress(10);
  }
  await service.crashBackend();
  note('killed a backend');
  await progress(10);
  await service.crashPostgres();
  note('killed PostgreSQL');
  await waitFor(async () => (await finished()).ended === 8, { timeoutMs: 100_000, what: 'all runs to end' }).catch(
    async (error: unknown) => {
      const { rows } = await service
        .database()
        .pool.query(
          `select run_id, task_index, state, try_number, worker_id, started_at, deadline_at, now() from task_instance where state not in ('success', 'none')`,
        );
      console.table(rows);
      throw error;
    },
  );
  note('all runs ended');
  const records = await checkRuns(service.database(), { finished: true });
  expect(records.map(({ run }) => run.state)).toEqual(Array(8).fill('success'));
  const starts = readFileSync(witness, 'utf8').trim().split('\n');
  expect(starts.filter((line, i) => starts.indexOf(line) !== i)).toEqual([]);
  const causes = new Map<string, number>();
  for (const one of records.flatMap(({ tries }) => tries)) causes.set(one.cause!, (causes.get(one.cause!) ?? 0) + 1);
  console.log(Object.fromEntries(causes), `${starts.length} starts`);
});
