/**
 * L2: our own create, start and finish statements with 500 tasks each from 2 clients: the most that this schema can give when
 * nothing stands between a full batch and Postgres. Tasks have no edges, so no downstream is counted.
 */
import pg from 'pg';
import { createDatabase, typeParsers } from '#db/client.ts';
import { compileDag, type CompiledDag } from '#db/engine/compiled-dag.ts';
import { planFinish, type FinishRow } from '#db/engine/flush-plan.ts';
import { deployDag } from '#db/queries/dag.ts';
import { registerWorker } from '#db/queries/worker.ts';
import { CLAIM_TASKS, LOCK_READY } from '#db/queries/task-transitions/claim-tasks.ts';
import { CREATE_RUNS, LOCK_DAGS, LOCK_QUEUED_RUNS, START_RUNS } from '#db/queries/task-transitions/create-runs.ts';
import { finishTasks } from '#db/queries/task-transitions/finish-tasks.ts';
import { LOCK_RUNS } from '#db/queries/task-transitions/lock-runs.ts';
import { arrayLiteral, type Statement } from '#db/queries/task-transitions/statement.ts';
import { serveSide } from '../sides/serve.ts';
import { limitSpec, RUNS_PER_BATCH, TASKS_PER_RUN } from './l2-dag.ts';

const TASKS = RUNS_PER_BATCH * TASKS_PER_RUN;

interface Claimed {
  run_id: number;
  task_index: number;
  map_index: number;
  dispatch_id: string;
}

interface LimitClient {
  /** Creates, starts and finishes one batch. */
  batch(): Promise<void>;
  close(): Promise<void>;
}

/** Each client has its own DAG and queue, so that the two never wait for each other. */
async function openClient(url: string, n: number): Promise<LimitClient> {
  const database = createDatabase(url, { max: 1 });
  const spec = limitSpec(n);
  const { dagId, versionId } = await deployDag(database.db, { spec, bundle: null, actor: 'bench' });
  const info = {
    name: `limit ${n}`,
    queues: [`limit_${n}`],
    slots: TASKS,
    version: 'bench',
    hostname: null,
    pid: null,
  };
  const { workerId } = await registerWorker(database.db, info);
  await database.close();
  const dag = compileDag({ versionId, dagId, dagName: spec.dagId, bundleHash: null, spec });
  const client = new pg.Client({
    connectionString: url,
    types: typeParsers,
    pipeline: true,
    options:
      '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_material=off',
  });
  await client.connect();
  const send = <Row extends pg.QueryResultRow>({ name, text }: Statement, values: unknown[]) =>
    client.query<Row>({ name, text, values });
  let round = 0;

  return {
    async batch() {
      round++;
      const key = (i: number) => `limit ${n} ${round} ${i}`;
      const nulls = new Array<null>(RUNS_PER_BATCH).fill(null);
      const dags = new Array<number>(RUNS_PER_BATCH).fill(dagId);
      const keys = nulls.map((_, i) => key(i));
      const kinds = nulls.map(() => 'manual');
      void client.query('begin');
      void send(CREATE_RUNS, [dags, nulls, kinds, keys, nulls, nulls, nulls, nulls, nulls, nulls]);
      void send(LOCK_DAGS, [[dagId]]);
      void send(LOCK_QUEUED_RUNS, [[dagId], RUNS_PER_BATCH]);
      void send(START_RUNS, [RUNS_PER_BATCH]);
      await client.query('commit');
      void client.query('begin');
      void send(LOCK_READY, [[`limit_${n}`], TASKS]);
      const claim = send<Claimed>(CLAIM_TASKS, [workerId, TASKS]);
      await client.query('commit');
      const { rows } = await claim;
      if (rows.length !== TASKS) throw new Error(`${rows.length} tasks were claimed, not ${TASKS}.`);
      void client.query('begin');
      void send(LOCK_RUNS, [arrayLiteral([...new Set(rows.map((row) => row.run_id))])]);
      const plan = planFinish(
        rows.map((row) => finishOf(row, dag, workerId)),
        new Map(),
      );
      const finished = send(finishTasks(plan.parts), plan.values);
      await client.query('commit');
      const ended = (await finished).rows.length;
      if (ended !== TASKS + RUNS_PER_BATCH) throw new Error(`The finish told of ${ended} rows.`);
    },
    close: () => client.end(),
  };
}

const finishOf = (row: Claimed, dag: CompiledDag, workerId: number): FinishRow => ({
  runId: row.run_id,
  taskIndex: row.task_index,
  mapIndex: row.map_index,
  uuid: row.dispatch_id,
  outcome: 'success',
  delay: null,
  isExtra: false,
  expired: false,
  workerId,
  cause: 'ok',
  exitCode: null,
  message: null,
  evidence: null,
  logBytes: 0,
  xcoms: null,
  branch: null,
  artifacts: null,
  dag,
});

let clients: LimitClient[] = [];
serveSide({
  async open({ url, count }: { url: string; count: number }) {
    clients = await Promise.all(Array.from({ length: count }, (_, n) => openClient(url, n)));
  },
  async batches({ each }: { each: number }) {
    const begin = performance.now();
    await Promise.all(
      clients.map(async (client) => {
        for (let i = 0; i < each; i++) await client.batch();
      }),
    );
    return { ms: performance.now() - begin, tasks: clients.length * each * TASKS };
  },
  async close() {
    await Promise.all(clients.map((client) => client.close()));
  },
});
