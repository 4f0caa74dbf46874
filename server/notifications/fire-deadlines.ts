/** Clocks that have run out: each is told once, whoever finds it. */
import type { Db } from '#db/client.ts';
import {
  findEndedInTime,
  lockDueClocks,
  millisecondsToDeadline,
  settleClocks,
  type DeadlineRow,
} from '#db/queries/deadlines.ts';
import { insertNotifications, type NewNotification } from '#db/queries/notifications.ts';
import { overdueNotices } from './notices.ts';
import type { NotifyPlans } from './notify-plans.ts';

const BATCH = 200;

/** Returns the milliseconds until the next one. */
export async function fireDeadlines(db: Db, plans: NotifyPlans): Promise<number> {
  const count = await db.transaction().execute(async (trx) => {
    const due = await lockDueClocks(trx, BATCH);
    if (due.length === 0) return 0;
    const inTime = await findEndedInTime(trx, due);
    const missed = due.filter((clock) => !inTime.has(clock.id));
    await settleClocks(trx, [...inTime], 'met');
    await settleClocks(
      trx,
      missed.map((clock) => clock.id),
      'missed',
    );
    const found = await plans.of(
      trx,
      missed.map((clock) => clock.version_id),
    );
    await insertNotifications(
      trx,
      missed.flatMap((clock) => notificationsOf(clock, found)),
    );
    return due.length;
  });
  if (count > 0) return 0;
  return Math.max(1, (await millisecondsToDeadline(db)) ?? Infinity);
}

function notificationsOf(clock: DeadlineRow, plans: Awaited<ReturnType<NotifyPlans['of']>>): NewNotification[] {
  const plan = plans.get(clock.version_id);
  if (!plan) return [];
  const { run_id: runId, task_index: taskIndex, map_index: mapIndex, try_number: tryNumber, kind, rule } = clock;
  const notices = overdueNotices(plan, { runId, taskIndex, mapIndex, tryNumber, kind, rule });
  return notices.map((notice) => ({ ...notice, dagId: clock.dag_id, versionId: clock.version_id }));
}
