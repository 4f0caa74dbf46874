/** Admission where tasks need more than room in their run: asks, decides (admission.ts), writes. */
import type { Json } from '#sdk/protocol.ts';
import { ADMIT_TASKS } from '#db/queries/task-transitions/admit-tasks.ts';
import {
  ADMIT_GATED,
  CLASSIFY_WAITING,
  GATE_STATE,
  LOCK_GATES,
  PLACE_WAITING,
  RELEASE_SLOTS,
  RELEASE_SLOTS_OF_RUNS,
  WAITING_SETS,
} from '#db/queries/task-transitions/gate-statements.ts';
import { arrayLiteral } from '#db/queries/task-transitions/statement.ts';
import { admit, type Admission, type Admitted, type GateState, type WaitingSet } from './admission.ts';
import type { CompiledDag } from './compiled-dag.ts';
import { keyColumns, type InstanceKey } from './key-columns.ts';
import { gateName, usesKeys, type GateSet, type RunValues } from './gates.ts';
import { paramDefaults } from './param-defaults.ts';
import type { Transaction } from './transaction.ts';
import type { Versions } from './versions.ts';
import type { AdmitItem } from './work-items.ts';

/** What is still to be done after the commit. */
export interface FollowUp {
  /** Gates that have room for those who wait there, and how much. */
  gates: Map<string, number>;
  /** Runs with more to admit than one flush takes. */
  runs: Set<number>;
}

interface AdmitInput {
  /** Runs whose waiting tasks may pass. */
  admit: ReadonlySet<number>;
  admits: readonly AdmitItem[];
  /** Instances that may have let go of what they held. */
  holders: readonly InstanceKey[];
  versions: Versions;
}

/**
 * What instances no longer hold is given back, and what waits may pass. The runs are locked. Where no DAG has gates, that is one
 * statement, and nobody waits for its answer.
 */
export async function admitRuns(tx: Transaction, input: AdmitInput): Promise<FollowUp | null> {
  const { admit, admits, holders, versions } = input;
  const isGated = (runId: number) => versions.ofRun(runId)?.hasGates === true;
  const plain = [...admit].filter((runId) => !isGated(runId));
  const gated = [...admit].filter(isGated);
  if (plain.length > 0) void tx.send(ADMIT_TASKS, [arrayLiteral(plain)]);
  const tidy = admits.flatMap((item) => (item.tidy ? item.runIds : []));
  if (gated.length + tidy.length === 0) return null;
  const held = holders.filter((key) => isGated(key.runId));
  const released = [
    ...(tidy.length > 0 ? await tx.send<{ gate: string }>(RELEASE_SLOTS_OF_RUNS, [arrayLiteral(tidy)]) : []),
    ...(held.length > 0 ? await tx.send<{ gate: string }>(RELEASE_SLOTS, keyColumns(held)) : []),
  ];
  const woken = new Set([...released.map((row) => row.gate), ...admits.flatMap((item) => item.gates)]);
  return admitGated(tx, gated, woken, versions);
}

/** Most tasks of a set that one flush looks at. */
const MOST_TASKS = 256;

/** `woken`: gates that may have room now; who waits there in these runs is asked again. */
async function admitGated(
  tx: Transaction,
  runIds: readonly number[],
  woken: ReadonlySet<string>,
  versions: Versions,
): Promise<FollowUp> {
  const runs = arrayLiteral(runIds);
  void tx.send(CLASSIFY_WAITING, [runs]);
  const rows = await tx.send<SetRow>(WAITING_SETS, [runs, [...woken], MOST_TASKS]);
  const values = await runValues(tx, rows, versions);
  const sets = rows.flatMap((row) => waitingSet(row, versions.ofRun(row.run_id), values.get(row.run_id) ?? null));
  const names = new Set([...woken, ...sets.flatMap((set) => set.needs.map(({ gate }) => gate))]);
  if (names.size > 0) void tx.send(LOCK_GATES, [[...names]]);
  const gates = names.size > 0 ? await gateStates(tx, [...names], sets) : new Map<string, GateState>();
  const decided = admit({ sets, room: new Map(rows.map((row) => [row.run_id, row.room])), gates });
  write(tx, decided);
  return { gates: decided.follow, runs: decided.more };
}

interface SetRow {
  run_id: number;
  gate_set: number;
  room: number;
  registered: boolean;
  tasks: [rank: number, taskIndex: number, mapIndex: number][] | null;
}

function waitingSet(row: SetRow, dag: CompiledDag | undefined, values: RunValues | null): WaitingSet[] {
  const needs = dag?.gateSets[row.gate_set - 1];
  if (!dag || !needs) throw new Error(`Run ${row.run_id} has no gate set ${row.gate_set}.`);
  const run = { runId: row.run_id, dagId: dag.dagId, values };
  const most = Math.max(1, Math.min(row.room + 1, MOST_TASKS));
  const tasks = row.tasks ?? [];
  return [
    {
      runId: row.run_id,
      set: row.gate_set,
      needs: needs.map((need) => ({ gate: gateName(need, run), need })),
      candidates: tasks.map(([rank, taskIndex, mapIndex]) => ({ rank, taskIndex, mapIndex })),
      more: tasks.length >= most,
      registered: row.registered,
    },
  ];
}

/** Params and conf of those runs whose waiting tasks are told apart by them. */
async function runValues(
  tx: Transaction,
  rows: readonly SetRow[],
  versions: Versions,
): Promise<Map<number, RunValues>> {
  const asks = (row: SetRow): boolean => {
    const set: GateSet | undefined = versions.ofRun(row.run_id)?.gateSets[row.gate_set - 1];
    return set !== undefined && usesKeys(set);
  };
  const ids = [...new Set(rows.filter(asks).map((row) => row.run_id))];
  if (ids.length === 0) return new Map();
  const found = await tx.send<{ id: number; conf: { [key: string]: Json } | null }>(RUN_CONFS, [arrayLiteral(ids)]);
  return new Map(
    found.map(({ id, conf }) => {
      const given = conf ?? {};
      return [id, { conf: given, params: { ...paramDefaults(versions.ofRun(id)?.params ?? null), ...given } }];
    }),
  );
}

const RUN_CONFS = { name: 'run_confs', text: `select id, conf from dag_run where id = any($1::bigint[])` };

interface StateRow {
  gate: string;
  held: number;
  pool_slots: number | null;
  tokens: number | null;
  at: number | null;
  now: number;
  next: GateState['next'];
}

async function gateStates(
  tx: Transaction,
  gates: string[],
  sets: readonly WaitingSet[],
): Promise<Map<string, GateState>> {
  const rows = await tx.send<StateRow>(GATE_STATE, [
    gates,
    arrayLiteral(sets.map((set) => set.runId)),
    arrayLiteral(sets.map((set) => set.set)),
  ]);
  return new Map(
    rows.map(({ gate, held, pool_slots: poolSlots, tokens, at, now, next }) => [
      gate,
      { held, poolSlots, tokens, at: at ?? now, now, next },
    ]),
  );
}

function write(tx: Transaction, { admitted, register, unregister, rates }: Admission): void {
  if (admitted.length > 0) void tx.send(ADMIT_GATED, admittedColumns(admitted));
  if (register.length + unregister.length + rates.length === 0) return;
  void tx.send(PLACE_WAITING, [
    register.map((one) => one.runId),
    register.map((one) => one.set),
    register.map((one) => one.gate),
    register.map((one) => one.rank),
    register.map((one) => one.slots),
    register.map((one) => one.capacity),
    unregister.map((one) => one.runId),
    unregister.map((one) => one.set),
    rates.map((one) => one.gate),
    rates.map((one) => one.tokens),
    rates.map((one) => one.fullIn),
    rates.map((one) => one.dueIn),
  ]);
}

function admittedColumns(admitted: readonly Admitted[]): unknown[] {
  const holds: Admitted['holds'] = [];
  const low: number[] = [];
  const high: number[] = [];
  for (const one of admitted) {
    low.push(holds.length + 1);
    holds.push(...one.holds);
    high.push(holds.length);
  }
  return [
    arrayLiteral(admitted.map((one) => one.runId)),
    arrayLiteral(admitted.map((one) => one.taskIndex)),
    arrayLiteral(admitted.map((one) => one.mapIndex)),
    arrayLiteral(admitted.map((one) => one.set)),
    arrayLiteral(admitted.map((one) => one.rank)),
    arrayLiteral(low),
    arrayLiteral(high),
    holds.map(({ gate }) => gate),
    arrayLiteral(holds.map(({ slots }) => slots)),
  ];
}
