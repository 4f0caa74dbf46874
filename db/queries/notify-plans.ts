/** What the versions of DAGs say about notifications and deadlines: of large specs only this part. */
import { sql } from 'kysely';
import type { Deadline, NotifyRule, TaskNotifyRule } from '#sdk/notify.ts';
import type { Db } from '#db/client.ts';

export interface StoredPlan {
  version_id: number;
  notify: NotifyRule[] | null;
  deadline: Deadline[] | null;
  /** Rules of tasks, by task index. */
  task_rules: { task: number; notify: TaskNotifyRule[] }[];
  /** Indexes of the tasks that rules of the DAG name. */
  named: { [taskId: string]: number };
}

export async function readNotifyPlans(db: Db, versionIds: readonly number[]): Promise<StoredPlan[]> {
  if (versionIds.length === 0) return [];
  const { rows } = await sql<StoredPlan>`
    select v.id as version_id, v.spec -> 'notify' as notify, v.spec -> 'deadline' as deadline,
      case when jsonb_path_exists(v.spec, '$.tasks[*].notify[*]') then (
        select coalesce(jsonb_agg(jsonb_build_object('task', x.n - 1, 'notify', x.task -> 'notify')), '[]')
        from jsonb_array_elements(v.spec -> 'tasks') with ordinality x(task, n) where jsonb_array_length(coalesce(x.task -> 'notify', '[]')) > 0)
        else '[]' end as task_rules,
      (select coalesce(jsonb_object_agg(k.task_id, k.task_index), '{}') from dag_version_task k where k.version_id = v.id
        and k.task_id in (select jsonb_array_elements_text(r -> 'tasks') from jsonb_array_elements(coalesce(v.spec -> 'notify', '[]')) r)) as named
    from dag_version v where v.id = any (${versionIds}::bigint[])`.execute(db);
  return rows;
}

/** The version that each run is pinned to. */
export async function readRunVersions(db: Db, runIds: readonly number[]): Promise<Map<number, number>> {
  if (runIds.length === 0) return new Map();
  const { rows } = await sql<{ id: number; version_id: number }>`
    select id, version_id from dag_run where id = any (${runIds}::bigint[])`.execute(db);
  return new Map(rows.map((row) => [row.id, row.version_id]));
}
