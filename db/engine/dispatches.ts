/** Turns claimed task instances into what a runner needs to know: task, run, and the results that it may read. */
import type pg from 'pg';
import type { TaskSpec } from '#sdk/dag-spec.ts';
import type { AssetEvent, Dispatch, Json, RunContext, XComValue } from '#sdk/protocol.ts';
import type { RunKind } from '#sdk/states.ts';
import type { Vault } from '#db/vault.ts';
import { loadAssetEvents } from './asset-context.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { formatDispatchId } from './dispatch-id.ts';
import { loadValues, type DispatchValues } from './dispatch-values.ts';
import { loadMapItems, mapOf } from './map-items.ts';
import { loadPreviousSuccess } from './previous-success.ts';
import { paramDefaults } from './param-defaults.ts';
import type { Versions } from './versions.ts';
import { loadWaiting } from './waiting-since.ts';
import type { ClaimedTask } from './work-items.ts';

const MOST_RUNS = 20_000;
/** No map index is higher. */
const MOST_INDEX = 2 ** 31 - 1;

export interface Dispatches {
  build(claimed: readonly ClaimedTask[]): Promise<Dispatch[]>;
}

interface RunRow {
  id: number;
  run_key: string;
  kind: RunKind;
  logical_date: Date | null;
  interval_start: Date | null;
  interval_end: Date | null;
  conf: { [key: string]: Json } | null;
  started_at: Date | null;
  triggered_by: string | null;
  version_id: number;
}

export function createDispatches(pool: pg.Pool, versions: Versions, vault: Vault | null): Dispatches {
  const runs = new Map<number, RunContext>();

  const loadRuns = async (claimed: readonly ClaimedTask[]) => {
    const missing = [...new Set(claimed.map((task) => task.runId))].filter((id) => !runs.has(id));
    if (missing.length === 0) return;
    const { rows } = await pool.query<RunRow>({
      name: 'load_run_contexts',
      text: `select id, run_key, kind, logical_date, interval_start, interval_end, conf, started_at, triggered_by, version_id
        from dag_run where id = any($1::bigint[])`,
      values: [missing],
    });
    for (const row of rows) {
      if (runs.size >= MOST_RUNS) for (const oldest of runs.keys()) if (runs.delete(oldest)) break;
      runs.set(row.id, runContext(row, versions.get(row.version_id)));
    }
  };

  return {
    async build(claimed) {
      if (claimed.length === 0) return [];
      await versions.load(claimed.map((task) => task.versionId));
      const referencesOf = ({ versionId, taskIndex }: ClaimedTask) =>
        versions.get(versionId)?.values[taskIndex] ?? null;
      const asks = ({ versionId, taskIndex }: ClaimedTask) => versions.get(versionId)?.asksPrevious[taskIndex] === 1;
      const [xcoms, valuesOf, waits, items, previous] = await Promise.all([
        loadXComs(pool, versions, claimed),
        loadValues(pool, vault, claimed.map(referencesOf)),
        loadWaiting(pool, versions, claimed),
        loadMapItems(pool, versions, claimed),
        loadPreviousSuccess(pool, [...new Set(claimed.filter(asks).map((task) => task.runId))]),
        loadRuns(claimed),
      ]);
      const isForAssets = ({ runId, versionId, taskIndex }: ClaimedTask) =>
        runs.get(runId)?.kind === 'asset' && versions.get(versionId)?.asksAssets[taskIndex] === 1;
      const events = await loadAssetEvents(pool, [...new Set(claimed.filter(isForAssets).map((task) => task.runId))]);
      return claimed.flatMap((task) => {
        const dag = versions.get(task.versionId);
        const run = withEvents(runs.get(task.runId), isForAssets(task) ? events.get(task.runId) : undefined);
        const read = {
          xcoms: xcoms.get(task) ?? [],
          ...valuesOf(referencesOf(task)),
          waiting: waits.get(task) ?? null,
          mapItem: items.get(task) ?? null,
          previousSuccess: (asks(task) && previous.get(task.runId)) || null,
        };
        const dispatch = dag && run && toDispatch(task, dag, run, read);
        versions.pin(task.runId, task.versionId);
        return dispatch ? [dispatch] : [];
      });
    },
  };
}

function toDispatch(
  claimed: ClaimedTask,
  dag: CompiledDag,
  run: RunContext,
  read: DispatchValues & Pick<Dispatch, 'xcoms' | 'waiting' | 'mapItem' | 'previousSuccess'>,
): Dispatch | null {
  const task = dag.tasks[claimed.taskIndex];
  if (!task) return null;
  return {
    dispatchId: formatDispatchId(claimed),
    dagId: dag.dagName,
    taskId: task.taskId,
    mapIndex: claimed.mapIndex,
    tryNumber: claimed.tryNumber,
    maxTries: claimed.maxTries,
    versionId: String(dag.versionId),
    bundleHash: dag.bundleHash,
    task,
    run,
    ...read,
    mapName: mapOf(dag, claimed.taskIndex)?.name ?? null,
    downstream: decides(task) ? [...dag.childrenOf(claimed.taskIndex)].map((i) => dag.tasks[i]?.taskId ?? '') : [],
    token: null,
  };
}

const withEvents = (run: RunContext | undefined, assetEvents: AssetEvent[] | undefined): RunContext | undefined =>
  run && assetEvents ? { ...run, assetEvents } : run;

/** Only who chooses needs to know among what. */
const decides = ({ kind }: TaskSpec): boolean => kind === 'branch' || kind === 'short_circuit';

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

function runContext(row: RunRow, dag: CompiledDag | undefined): RunContext {
  const conf = row.conf ?? {};
  return {
    runId: String(row.id),
    runKey: row.run_key,
    kind: row.kind,
    logicalDate: iso(row.logical_date),
    dataIntervalStart: iso(row.interval_start),
    dataIntervalEnd: iso(row.interval_end),
    conf,
    params: { ...paramDefaults(dag?.params ?? null), ...conf },
    startedAt: iso(row.started_at),
    triggeredBy: row.triggered_by,
  };
}

interface StoredXCom {
  map_index: number;
  key: string;
  value: Json;
  artifact: string | null;
  bytes: number | null;
}

/** A large one is only named: whoever reads it fetches it. */
const xcomValue = ({ key, value, artifact, bytes }: StoredXCom): Pick<XComValue, 'key' | 'value' | 'artifact'> =>
  artifact === null ? { key, value } : { key, value: null, artifact: { hash: artifact, bytes: Number(bytes) } };

/** One query a batch, and none when no claimed task reads results. */
async function loadXComs(
  pool: pg.Pool,
  versions: Versions,
  claimed: readonly ClaimedTask[],
): Promise<Map<ClaimedTask, XComValue[]>> {
  const found = new Map<ClaimedTask, XComValue[]>();
  const wanted = claimed.flatMap((task) => {
    const dag = versions.get(task.versionId);
    const sources = dag?.xcomSources[task.taskIndex] ?? [];
    const unit = dag?.flow.unitOf[task.taskIndex] ?? -1;
    // Within a mapped group each instance reads what its own index has made, as if there were no other
    return Array.from(sources, (source) => ({ task, source, own: unit !== -1 && dag?.flow.unitOf[source] === unit }));
  });
  if (wanted.length === 0) return found;
  const { rows } = await pool.query<StoredXCom & { n: number }>({
    name: 'load_xcoms',
    text: `select f.n::int as n, x.map_index, x.key, x.value, x.artifact, x.bytes
      from unnest($1::bigint[], $2::int[], $3::int[], $4::int[]) with ordinality f(run_id, task_index, lo, hi, n)
      join xcom x on x.run_id = f.run_id and x.task_index = f.task_index and x.map_index between f.lo and f.hi order by f.n, x.map_index`,
    values: [
      wanted.map(({ task }) => task.runId),
      wanted.map(({ source }) => source),
      wanted.map(({ task, own }) => (own ? task.mapIndex : -1)),
      wanted.map(({ task, own }) => (own ? task.mapIndex : MOST_INDEX)),
    ],
  });
  for (const row of rows) {
    const want = wanted[row.n - 1];
    const taskId = want && versions.get(want.task.versionId)?.tasks[want.source]?.taskId;
    if (!want || taskId === undefined) continue;
    const list = found.get(want.task) ?? [];
    list.push({ taskId, mapIndex: want.own ? -1 : row.map_index, ...xcomValue(row) });
    found.set(want.task, list);
  }
  return found;
}
