/** A worker in this process that does nothing but report: what is measured is the engine. */
import type { Dispatch, TaskReport } from '#sdk/protocol.ts';
import { createDatabase, type Database } from '#db/client.ts';
import { createEngine, type Engine } from '#db/engine/engine.ts';
import { deployDag } from '#db/queries/dag.ts';
import { ensurePartitions } from '#db/queries/partitions.ts';
import { createVault } from '#db/vault.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { reportOf } from '../helpers/engine.ts';
import type { Bench } from './scenario.ts';

const QUEUES = ['default'];

export interface Drained extends Database {
  engine: Engine;
  workerId: number;
  deploy(input: object): Promise<number>;
}

/** On a database of its own, dropped afterwards. */
export async function onEngine(bench: Bench, name: string, work: (side: Drained) => Promise<void>): Promise<void> {
  const url = await bench.postgres.create(name);
  const database = createDatabase(url);
  const vault = createVault(Buffer.alloc(32, 7));
  const onError = (error: unknown) => bench.log(`${name}: ${String(error)}`);
  const engine = createEngine({ ...database, vault, onError });
  try {
    await ensurePartitions(database.pool);
    const info = { name: 'bench', queues: QUEUES, slots: 1000, version: 'bench', hostname: null, pid: null };
    const workerId = await engine.registerWorker(info);
    const deploy = async (input: object) => {
      const validated = validateDagSpec(input);
      if (!validated.ok) throw new Error(JSON.stringify(validated.issues.slice(0, 3)));
      return (await deployDag(database.db, { spec: validated.spec, bundle: null, actor: 'bench' })).dagId;
    };
    await work({ ...database, engine, workerId, deploy });
  } finally {
    await engine.stop();
    await database.close();
    await bench.postgres.drop(name);
  }
}

/** Claims and reports in batches until so many tasks have ended; `idle` is asked when there is nothing to claim. */
export async function drain(
  { engine, workerId }: Drained,
  tasks: number,
  limit: number,
  { report = reportOf, idle }: { report?: (dispatch: Dispatch) => TaskReport; idle?: () => Promise<unknown> } = {},
): Promise<void> {
  const claim = { queues: QUEUES, limit };
  let dispatches: Dispatch[] = [];
  for (let done = 0; done < tasks;) {
    if (dispatches.length === 0) {
      await idle?.();
      dispatches = await engine.claim({ workerId, ...claim });
      continue;
    }
    const reports = dispatches.map((dispatch) => report(dispatch));
    done += reports.length;
    dispatches = (await engine.report({ workerId, reports, claim })).dispatches;
  }
}
