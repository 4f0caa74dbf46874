/** Mapped tasks whose inputs are known: their instances are made, within the flush that made them ready. */
import type { Json } from '#sdk/protocol.ts';
import {
  EXPAND_TASKS,
  FIND_UNEXPANDED,
  LOAD_MAP_SOURCES,
  TAKE_UNEXPANDED,
} from '#db/queries/task-transitions/expand-tasks.ts';
import { arrayLiteral } from '#db/queries/task-transitions/statement.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { expandMap, sourcesOf, type Expanded, type MapItem } from './expand-map.ts';
import { settledRow, type FinishRow } from './flush-plan.ts';
import { isOtherOfTeardown } from './special-edges.ts';
import type { Transaction } from './transaction.ts';
import type { Versions } from './versions.ts';

export interface Unexpanded {
  runId: number;
  taskIndex: number;
  dag: CompiledDag;
}

/** What is ready in these runs and has not got its instances: a person cleared it, or who was to make them has gone. */
export async function findUnexpanded(tx: Transaction, runIds: number[], versions: Versions): Promise<Unexpanded[]> {
  if (runIds.length === 0) return [];
  const rows = await tx.send<{ run_id: number; task_index: number }>(FIND_UNEXPANDED, [arrayLiteral(runIds)]);
  if (rows.length > 0) await versions.loadRuns(rows.map((row) => row.run_id));
  return rows.flatMap((row) => {
    const dag = versions.ofRun(row.run_id);
    return dag ? [{ runId: row.run_id, taskIndex: row.task_index, dag }] : [];
  });
}

/**
 * The rows that end now: `map` tasks of groups that have got their instances, and maps with nothing to run over or that cannot be made.
 * They are reports of the engine itself, to be recorded as those of a runner.
 */
export async function expandTasks(tx: Transaction, ready: readonly Unexpanded[]): Promise<FinishRow[]> {
  const lookups = await loadSources(tx, ready);
  const ends: [Unexpanded, Pick<FinishRow, 'outcome' | 'cause' | 'message'>][] = [];
  ready.forEach((one, i) => {
    const map = one.dag.tasks[one.taskIndex]?.map;
    if (!map) return;
    const expanded = expandMap(map, (task, key) => lookups[i]?.get(`${task}\n${key}`));
    if ('items' in expanded && expanded.items.length > 0) makeInstances(tx, one, expanded.items);
    const end = endOf(one, expanded);
    if (end) ends.push([one, end]);
  });
  if (ends.length === 0) return [];
  const taken = await tx.send<{ run_id: number; task_index: number; dispatch_id: string }>(TAKE_UNEXPANDED, [
    arrayLiteral(ends.map(([{ runId }]) => runId)),
    arrayLiteral(ends.map(([{ taskIndex }]) => taskIndex)),
  ]);
  return taken.flatMap((row): FinishRow[] => {
    const found = ends.find(([one]) => one.runId === row.run_id && one.taskIndex === row.task_index);
    if (!found) return [];
    const [{ dag }, end] = found;
    const key = { runId: row.run_id, taskIndex: row.task_index, mapIndex: -1 };
    return [{ ...settledRow(dag, key, end.outcome), ...end, uuid: row.dispatch_id }];
  });
}

/** How the row that stands for a mapped unit ends; null: its instances have taken its place. */
function endOf(
  { dag, taskIndex }: Unexpanded,
  expanded: Expanded,
): Pick<FinishRow, 'outcome' | 'cause' | 'message'> | null {
  if ('problem' in expanded) return { outcome: 'failed', cause: 'map_invalid', message: expanded.problem };
  const { length } = expanded.items;
  if (length === 0) return { outcome: 'skipped', cause: 'map_empty', message: 'There was nothing to run over.' };
  const isGroup = dag.tasks[taskIndex]?.kind === 'map';
  return isGroup ? { outcome: 'success', cause: 'ok', message: null } : null;
}

function makeInstances(tx: Transaction, { runId, taskIndex, dag }: Unexpanded, items: MapItem[]): void {
  const members = dag.flow.members.get(taskIndex) ?? new Int32Array();
  const outward = [...members].flatMap((member) =>
    [...dag.childrenOf(member)].flatMap((child) => (dag.flow.unitOf[child] === taskIndex ? [] : [{ member, child }])),
  );
  void tx.send(EXPAND_TASKS, [
    runId,
    arrayLiteral(members),
    arrayLiteral(Array.from(members, (member) => dag.flow.leaf[member] === 1)),
    members.includes(taskIndex) ? taskIndex : null,
    dag.ranks[taskIndex] ?? 0,
    taskIndex,
    JSON.stringify(items),
    arrayLiteral(outward.map(({ member }) => member)),
    arrayLiteral(outward.map(({ child }) => child)),
    arrayLiteral(outward.map(({ child }) => dag.tasks[child]?.teardown != null)),
    arrayLiteral(outward.map(({ member, child }) => isOtherOfTeardown(dag, member, child))),
  ]);
}

async function loadSources(tx: Transaction, ready: readonly Unexpanded[]): Promise<Map<string, Json>[]> {
  const found = ready.map(() => new Map<string, Json>());
  const lists = new Map<string, Json[]>();
  const wanted = ready.flatMap(({ runId, taskIndex, dag }, at) => {
    const map = dag.tasks[taskIndex]?.map;
    return (map ? sourcesOf(map) : []).map((source) => ({
      ...source,
      at,
      runId,
      index: dag.indexOf.get(source.task) ?? -1,
    }));
  });
  if (wanted.length === 0) return found;
  const rows = await tx.send<{ n: number; map_index: number; value: Json }>(LOAD_MAP_SOURCES, [
    arrayLiteral(wanted.map(({ runId }) => runId)),
    arrayLiteral(wanted.map(({ index }) => index)),
    wanted.map(({ key }) => key),
  ]);
  for (const { n, map_index: mapIndex, value } of rows) {
    const { at, task, key } = wanted[n - 1]!;
    const name = `${task}\n${key}`;
    if (mapIndex < 0) {
      found[at]?.set(name, value);
      continue;
    }
    const list = lists.get(`${at}\n${name}`) ?? [];
    lists.set(`${at}\n${name}`, list);
    found[at]?.set(name, list);
    // What an instance leaves empty is not run over
    if (value !== null) list.push(value);
  }
  return found;
}
