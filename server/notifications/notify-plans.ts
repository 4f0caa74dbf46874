/** What DagVersions say about notifications, read once each: a version never changes. */
import type { Db } from '#db/client.ts';
import { readNotifyPlans, type StoredPlan } from '#db/queries/notify-plans.ts';
import type { NotifyPlan, PlannedRule } from './notices.ts';

const MOST_KEPT = 5_000;

export interface NotifyPlans {
  /** Null: the version tells nobody anything. */
  of(db: Db, versionIds: Iterable<number>): Promise<Map<number, NotifyPlan | null>>;
}

export function createNotifyPlans(): NotifyPlans {
  const kept = new Map<number, NotifyPlan | null>();
  return {
    async of(db, versionIds) {
      const wanted = [...new Set(versionIds)];
      const missing = wanted.filter((id) => !kept.has(id));
      if (kept.size + missing.length > MOST_KEPT) kept.clear();
      for (const stored of await readNotifyPlans(db, missing)) kept.set(stored.version_id, planOf(stored));
      return new Map(wanted.map((id) => [id, kept.get(id) ?? null]));
    },
  };
}

function planOf({ version_id: versionId, notify, deadline, task_rules, named }: StoredPlan): NotifyPlan | null {
  const ofDag = (notify ?? []).map((rule, i): PlannedRule => ({
    ...rule,
    path: `notify[${i}]`,
    tasks: tasksOf(rule.tasks, named),
  }));
  const ofTasks = task_rules.flatMap(({ task, notify: rules }) =>
    rules.map((rule, i): PlannedRule => ({ ...rule, path: `tasks[${task}].notify[${i}]`, tasks: new Set([task]) })),
  );
  const rules = [...ofDag, ...ofTasks];
  const deadlines = deadline ?? [];
  return rules.length + deadlines.length > 0 ? { versionId, rules, deadlines } : null;
}

function tasksOf(taskIds: readonly string[], named: { [taskId: string]: number }): PlannedRule['tasks'] {
  if (taskIds.length === 0) return null;
  return taskIds.includes('*') ? 'all' : new Set(taskIds.flatMap((id) => named[id] ?? []));
}
