import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../db/client.ts';
import { createEngine } from '../../db/engine/engine.ts';
import { deployDag } from '../../db/queries/dag.ts';
import { dagOf } from './engine.ts';
import type { RunRecord } from '#db/replay/run-record.ts';
import { waitFor } from './wait-for.ts';

/** Runs of short tasks that witness their starts by themselves, to do something to the service meanwhile. */
export interface Workload {
  /** Waits until so many more tasks have succeeded than when it was last asked. */
  progress(by: number): Promise<void>;
  allEnded(timeoutMs: number): Promise<void>;
  /** Every start that a task wrote down: run, task and try. */
  starts(): string[];
  remove(): void;
}

export interface WorkloadOptions {
  runs: number;
  /** Of five tasks each, side by side. */
  lines: number;
}

/** Creates the runs; `database()` is asked each time, for it may have been restarted. */
export async function startWorkload(database: () => Database, { runs, lines }: WorkloadOptions): Promise<Workload> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-witness-'));
  const witness = join(folder, 'starts');
  writeFileSync(witness, '');
  const { url, db, pool } = database();
  const { dagId } = await deployDag(db, { spec: linesOf(lines, witness), bundle: null, actor: 'test' });
  const engine = createEngine({ url, db, pool, onError: (error) => console.error(error) });
  await engine.createRuns(Array.from({ length: runs }, () => ({ dagId, kind: 'manual' as const })));
  await engine.stop();

  let seen = 0;
  const look = async () => {
    const { rows } = await database().pool.query<{ ended: number; done: number }>(
      `select (select count(*)::int from dag_run where ended_at is not null) as ended,
         (select count(*)::int from task_instance where state = 'success') as done`,
    );
    return rows[0] ?? { ended: 0, done: 0 };
  };
  return {
    async progress(by) {
      const goal = seen + by;
      // On a slow machine the pieces take so long to come back that the others may have done it all
      const reached = async () => {
        const { done, ended } = await look();
        seen = done;
        return done >= goal || ended === runs;
      };
      await waitFor(reached, { timeoutMs: 45_000, what: `${by} more tasks to succeed` });
    },
    async allEnded(timeoutMs) {
      const ended = waitFor(async () => (await look()).ended === runs, { timeoutMs, what: `all ${runs} runs to end` });
      await ended.catch(async (cause: unknown) => {
        throw new Error(`Not all runs ended; what stands:\n${await standing(database())}`, { cause });
      });
    },
    starts: () => readFileSync(witness, 'utf8').trim().split('\n'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Lines of five tasks that meet in the end. The first try of every fifth task fails. */
function linesOf(lines: number, witness: string) {
  const command = [
    `echo "$MILLRACE_RUN_ID $MILLRACE_TASK_ID try $MILLRACE_TRY_NUMBER" >> ${witness}`,
    'sleep 0.1',
    '[ "$MILLRACE_TRY_NUMBER" -gt 1 ] || [ $((${MILLRACE_TASK_ID#t} % 5)) -ne 0 ]',
  ].join('; ');
  const count = 5 * lines;
  const tasks = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `t${i}`,
      { upstream: i < lines ? [] : [`t${i - lines}`], retries: 6, command },
    ]),
  );
  const last = Array.from({ length: lines }, (_, i) => `t${count - 1 - i}`);
  return dagOf('lines', { ...tasks, end: { kind: 'empty', upstream: last } }, { maxActiveRuns: 4 });
}

/** How many tries ended by each cause. */
export function causesOf(records: readonly RunRecord[]): Record<string, number> {
  const causes: Record<string, number> = {};
  for (const { cause } of records.flatMap(({ tries }) => tries))
    causes[cause ?? 'none'] = (causes[cause ?? 'none'] ?? 0) + 1;
  return causes;
}

/** What has neither ended nor waits for others, with its worker. */
async function standing({ pool }: Database): Promise<string> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', t.run_id, t.task_index, t.state, 'try', t.try_number, 'started', t.started_at, 'until', t.deadline_at,
       'on', w.name, w.state, 'heard of', w.last_beat_at, 'now', now()) as line
     from task_instance t left join worker w on w.id = t.worker_id
     where t.state not in ('none', 'success', 'failed', 'skipped', 'upstream_failed', 'cancelled') order by 1`,
  );
  return rows.map((row) => row.line).join('\n');
}
