/** What waits for a person's decision. */
import { sql, type RawBuilder } from 'kysely';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { KeysetPage } from './keyset.ts';
import type { TaskKey } from './task-instances.ts';

export interface ApprovalRow {
  run_id: number;
  task_index: number;
  map_index: number;
  dispatch_id: string;
  spec: { [key: string]: Json };
  created_at: Date;
  timeout_at: Date | null;
}

const COLUMNS = sql`run_id, task_index, map_index, dispatch_id, spec, created_at, timeout_at`;
const keyOf = ({ runId, taskIndex, mapIndex }: TaskKey) => sql`(${runId}::bigint, ${taskIndex}::int, ${mapIndex}::int)`;

/** Oldest run first. `decidableBy`: only what this person may decide. */
export async function listApprovals(
  db: Db,
  decidableBy: { name: string; role: string } | null,
  page: KeysetPage<TaskKey>,
): Promise<ApprovalRow[]> {
  const wanted: RawBuilder<unknown>[] = [sql`kind = 'approval'`];
  if (page.after) wanted.push(sql`(run_id, task_index, map_index) > ${keyOf(page.after)}`);
  if (page.before) wanted.push(sql`(run_id, task_index, map_index) < ${keyOf(page.before)}`);
  if (decidableBy)
    wanted.push(sql`(jsonb_array_length(spec->'users') + jsonb_array_length(spec->'roles') = 0
      or jsonb_exists(spec->'users', ${decidableBy.name}) or jsonb_exists(spec->'roles', ${decidableBy.role}))`);
  const order = page.inverted ? sql`run_id desc, task_index desc, map_index desc` : sql`run_id, task_index, map_index`;
  const { rows } = await sql<ApprovalRow>`
    select ${COLUMNS} from trigger_wait where ${sql.join(wanted, sql` and `)} order by ${order} limit ${page.limit}`.execute(
    db,
  );
  return rows;
}

/** Null: nobody is asked there (any more). */
export async function findApproval(db: Db, { runId, taskIndex, mapIndex }: TaskKey): Promise<ApprovalRow | null> {
  const { rows } = await sql<ApprovalRow>`
    select ${COLUMNS} from trigger_wait
    where kind = 'approval' and run_id = ${runId} and task_index = ${taskIndex} and map_index = ${mapIndex}`.execute(
    db,
  );
  return rows[0] ?? null;
}

/** How the newest try of the task was decided; null: it was not, or by nobody. */
export async function lastDecision(
  db: Db,
  { runId, taskIndex, mapIndex }: TaskKey,
): Promise<{ decision: string; by: string | null } | null> {
  const { rows } = await sql<{ decision: string | null; by: string | null }>`
    select evidence->>'decision' as decision, evidence->>'by' as by from task_try
    where run_id = ${runId} and task_index = ${taskIndex} and map_index = ${mapIndex} order by try_number desc limit 1`.execute(
    db,
  );
  const row = rows[0];
  return row?.decision == null ? null : { decision: row.decision, by: row.by };
}
