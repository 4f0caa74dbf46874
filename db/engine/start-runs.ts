/** The first part of a flush: runs are created, and queued runs started as far as max_active_runs allows. */
import {
  CREATE_RUNS,
  FIND_RUNS,
  LOCK_DAGS,
  LOCK_QUEUED_RUNS,
  START_RUNS,
} from '#db/queries/task-transitions/create-runs.ts';
import type { Unexpanded } from './expand-tasks.ts';
import { settledRow, type FinishRow } from './flush-plan.ts';
import type { CompiledDag } from './compiled-dag.ts';
import type { Transaction } from './transaction.ts';
import type { Versions } from './versions.ts';
import type { Batch, CreatedRun, CreateItem, NewRun } from './work-items.ts';

const MOST_STARTS = 1000;

export interface Started {
  /** Entry tasks that are settled already (empty tasks): their children are still to be counted. */
  settled: FinishRow[];
  /** Mapped entry tasks, whose instances are still to be made. */
  unexpanded: Unexpanded[];
  /** Runs whose entry tasks wait for admission. */
  admit: number[];
  /** DAGs that may have more to start. */
  more: number[];
  /** DAGs whose new runs may take the place of others, or find theirs taken. */
  contested: number[];
  /** To be called after the commit. */
  answer(): void;
}

export async function createAndStart(tx: Transaction, batch: Batch, versions: Versions): Promise<Started> {
  const creates = batch.items.filter((item) => item.kind === 'create');
  const starts = batch.items.filter((item) => item.kind === 'start');
  const created = creates.length > 0 ? insertRuns(tx, creates) : Promise.resolve(null);
  const dagIds = new Set([
    ...creates.flatMap((item) => item.runs.map((run) => run.dagId)),
    ...starts.flatMap((item) => item.dagIds),
  ]);
  // Together: a run that is refused fails while the answer about starts is awaited, and nobody would hear it
  const [results, started] = await Promise.all([created, startRuns(tx, [...dagIds], versions)]);
  return {
    ...started,
    contested: [...new Set(results?.contested ?? [])],
    answer() {
      let next = 0;
      for (const item of creates)
        item.resolve(item.runs.map(() => results?.runs[next++] ?? { runId: 0, created: false }));
      for (const item of starts) item.resolve();
    },
  };
}

async function insertRuns(tx: Transaction, items: CreateItem[]): Promise<{ runs: CreatedRun[]; contested: number[] }> {
  const runs = items.flatMap((item) => item.runs);
  const column = <T>(pick: (run: NewRun) => T) => runs.map(pick);
  const rows = await tx.send<{ n: number; id: number; created: boolean; cancels: boolean }>(CREATE_RUNS, [
    column((run) => run.dagId),
    column((run) => run.versionId ?? null),
    column((run) => run.kind),
    column((run) => run.runKey),
    column((run) => run.logicalDate ?? null),
    column((run) => run.intervalStart ?? null),
    column((run) => run.intervalEnd ?? null),
    column((run) => (run.conf && Object.keys(run.conf).length > 0 ? JSON.stringify(run.conf) : null)),
    column((run) => run.triggeredBy ?? null),
    column((run) => run.idempotencyKey ?? null),
  ]);
  const created: (CreatedRun | undefined)[] = [];
  for (const row of rows) created[row.n - 1] = { runId: row.id, created: row.created };
  const refused = runs.flatMap((run, i) => (created[i]?.created ? [] : [{ run, i }]));
  if (refused.length > 0) {
    const found = await tx.send<{ n: number; id: number }>(FIND_RUNS, [
      refused.map(({ run }) => run.dagId),
      refused.map(({ run }) => run.runKey),
      refused.map(({ run }) => (run.kind === 'scheduled' ? (run.logicalDate ?? null) : null)),
      refused.map(({ run }) => run.idempotencyKey ?? null),
    ]);
    for (const { i } of refused) created[i] = undefined;
    for (const row of found) created[refused[row.n - 1]?.i ?? -1] = { runId: row.id, created: false };
  }
  return {
    runs: runs.map((_, i) => created[i] ?? { runId: 0, created: false }),
    contested: rows.flatMap((row) => (row.created && row.cancels ? (runs[row.n - 1]?.dagId ?? []) : [])),
  };
}

interface StartRow {
  run_id: number;
  version_id: number | null;
  dag_id: number | null;
  task_index: number | null;
  state: string;
  expands: boolean;
}

async function startRuns(
  tx: Transaction,
  dagIds: number[],
  versions: Versions,
): Promise<Omit<Started, 'answer' | 'contested'>> {
  if (dagIds.length === 0) return { settled: [], unexpanded: [], admit: [], more: [] };
  void tx.send(LOCK_DAGS, [dagIds]);
  void tx.send(LOCK_QUEUED_RUNS, [dagIds, MOST_STARTS]);
  const rows = await tx.send<StartRow>(START_RUNS, [MOST_STARTS]);
  const started = rows.filter((row) => row.task_index === null);
  for (const row of started) if (row.version_id !== null) versions.pin(row.run_id, row.version_id);
  const settled = rows.filter((row) => row.task_index !== null && row.state === 'success');
  const unexpanded = rows.filter((row) => row.state === 'scheduled' && row.expands);
  // By version, not by run: no other connection sees these runs before the commit
  if (settled.length > 0 || rows.some((row) => row.state === 'scheduled'))
    await versions.load(started.map((row) => row.version_id ?? 0));
  const keyOf = (row: StartRow) => ({ runId: row.run_id, taskIndex: row.task_index ?? -1, mapIndex: -1 });
  const withDag = <T>(list: StartRow[], make: (dag: CompiledDag, row: StartRow) => T): T[] =>
    list.flatMap((row) => {
      const dag = versions.ofRun(row.run_id);
      return dag ? [make(dag, row)] : [];
    });
  return {
    settled: withDag(settled, (dag, row) => settledRow(dag, keyOf(row), 'success')),
    unexpanded: withDag(unexpanded, (dag, row) => ({ ...keyOf(row), dag })),
    admit: [...new Set(rows.filter((row) => row.state === 'scheduled').map((row) => row.run_id))],
    more: [
      ...(started.length >= MOST_STARTS ? dagIds : []),
      ...started.flatMap((row) => (row.state === 'success' && row.dag_id !== null ? [row.dag_id] : [])),
    ],
  };
}
