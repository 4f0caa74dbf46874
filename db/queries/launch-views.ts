/** Launches as people see them: what a cluster has of a task, and what it had of each try. */
import type pg from 'pg';
import { sql } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DispatchKey } from '#db/engine/dispatch-id.ts';
import { readLaunch, type Launch, type LaunchKind, type LaunchPhase, type LaunchRow } from './launches.ts';

/** Where a try ran on its cluster, for people. */
export interface LaunchFacts {
  cluster: string;
  kind: LaunchKind;
  /** `<apiVersion> <kind>`; of old records not known. */
  api?: string | null;
  namespace: string;
  name: string;
  uid: string | null;
  node: string | null;
  /** ISO 8601, all of them. */
  createdAt: string | null;
  scheduledAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  /** What the cluster wrote down about it; only where something went wrong. */
  events: { [field: string]: Json }[];
}

export interface LaunchRecord {
  launch: Pick<Launch, 'runId' | 'taskIndex' | 'mapIndex' | 'tryNumber'>;
  facts: LaunchFacts;
}

const SAVE_RECORDS = {
  name: 'save_launch_records',
  text: `
insert into launch_record (run_id, task_index, map_index, try_number, facts)
select r.* from jsonb_to_recordset($1::jsonb)
  as r("runId" bigint, "taskIndex" int, "mapIndex" int, "tryNumber" smallint, facts jsonb)
on conflict (run_id, task_index, map_index, try_number) do update set facts = excluded.facts`,
};

/** JSON may have them, jsonb not: a NUL, and halves of characters. */
const UNSTORABLE = /\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/** Of one try the last one stays. */
export async function saveLaunchRecords(pool: pg.Pool, records: readonly LaunchRecord[]): Promise<void> {
  const rows = new Map(
    records.map(({ launch: { runId, taskIndex, mapIndex, tryNumber }, facts }) => [
      [runId, taskIndex, mapIndex, tryNumber].join(),
      { runId, taskIndex, mapIndex, tryNumber, facts },
    ]),
  );
  const text = JSON.stringify([...rows.values()]).replaceAll(UNSTORABLE, '\\ufffd');
  await pool.query({ ...SAVE_RECORDS, values: [text] });
}

/** What a cluster has of a task instance, or had of one of its tries. */
export interface LaunchView {
  cluster: string;
  kind: LaunchKind | null;
  /** `<apiVersion> <kind>`. */
  api: string | null;
  namespace: string | null;
  name: string | null;
  uid: string | null;
  node: string | null;
  /** Null: it is over. */
  phase: LaunchPhase | null;
  reason: string | null;
  message: string | null;
  /** ISO 8601, all of them. Null: that try is over. */
  claimedAt: string | null;
  createdAt: string | null;
  scheduledAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  events: { [field: string]: Json }[];
}

type InstanceKey = Pick<DispatchKey, 'runId' | 'taskIndex' | 'mapIndex'>;

/** In the order of `keys`: of the current try. */
export async function findLaunches(db: Db, keys: readonly InstanceKey[]): Promise<(LaunchView | null)[]> {
  const { rows } = await sql<LaunchRow & { n: number; cluster: string }>`
    select k.n::int as n, l.* from unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[],
      ${keys.map((key) => key.mapIndex)}::int[]) with ordinality k(run_id, task_index, map_index, n)
    join task_instance t using (run_id, task_index, map_index) join launch l on l.dispatch_id = t.dispatch_id`.execute(
    db,
  );
  const found: (LaunchView | null)[] = keys.map(() => null);
  for (const { n, cluster, ...row } of rows) {
    const { kind, api, namespace, name, uid, node, phase, reason, message, ...at } = readLaunch(row);
    const { claimedAt, createdAt, scheduledAt, startedAt } = at;
    const times = { claimedAt, createdAt, scheduledAt, startedAt, finishedAt: null };
    const iso = Object.fromEntries(Object.entries(times).map(([key, at]) => [key, at?.toISOString() ?? null]));
    found[n - 1] = {
      ...{ cluster, kind, api, namespace, name, uid, node, phase, reason, message },
      ...(iso as Record<keyof typeof times, string | null>),
      events: [],
    };
  }
  return found;
}

/** In the order of `keys`: of tries that are over. */
export async function findLaunchRecords(
  db: Db,
  keys: readonly (InstanceKey & { tryNumber: number })[],
): Promise<(LaunchView | null)[]> {
  const { rows } = await sql<{ n: number; facts: LaunchFacts }>`
    select k.n::int as n, r.facts from unnest(${keys.map((key) => key.runId)}::bigint[], ${keys.map((key) => key.taskIndex)}::int[],
      ${keys.map((key) => key.mapIndex)}::int[], ${keys.map((key) => key.tryNumber)}::int[])
      with ordinality k(run_id, task_index, map_index, try_number, n)
    join launch_record r using (run_id, task_index, map_index, try_number)`.execute(db);
  const found: (LaunchView | null)[] = keys.map(() => null);
  for (const { n, facts } of rows)
    found[n - 1] = { ...facts, api: facts.api ?? null, claimedAt: null, phase: null, reason: null, message: null };
  return found;
}
