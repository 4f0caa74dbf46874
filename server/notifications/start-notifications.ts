/** Everything that tells people: events become notifications, clocks run out, messages are sent. Shared by any number of schedulers. */
import { deleteOldDeadlines } from '#db/queries/deadlines.ts';
import { deleteOldNotifications } from '#db/queries/notifications.ts';
import { startEventConsumer } from '../scheduler/consume-events.ts';
import { startLoop } from '../scheduler/loop.ts';
import { fireDeadlines } from './fire-deadlines.ts';
import { startNotificationSender, type SenderDeps } from './notification-sender.ts';
import { createNotifyHandler } from './notify-consumer.ts';
import { createNotifyPlans } from './notify-plans.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
/** Days that what has been sent, given up or settled is kept. */
const KEPT_DAYS = 30;

export function startNotifications(deps: SenderDeps): { stop(): Promise<void> } {
  const { db, listener, log, onError } = deps;
  const plans = createNotifyPlans();
  const handle = createNotifyHandler(plans);
  const consumer = startEventConsumer({ name: 'notifications', db, listener, log, handle });
  const clocks = startLoop({
    name: 'fire deadlines',
    mostMs: 5 * SECOND,
    onError,
    pass: () => fireDeadlines(db, plans),
  });
  const sender = startNotificationSender(deps);
  const cleaner = startLoop({
    name: 'delete old notifications',
    mostMs: HOUR,
    onError,
    pass: async () => {
      await deleteOldDeadlines(db, KEPT_DAYS);
      await deleteOldNotifications(db, KEPT_DAYS);
      return HOUR;
    },
  });
  const off = [listener.on('millrace_deadline', clocks.wake), listener.onResync(clocks.wake)];
  return {
    async stop() {
      for (const stop of off) stop();
      // The sender last: what it has begun it brings to its end
      await Promise.all([consumer.stop(), clocks.stop(), cleaner.stop()]);
      await sender.stop();
    },
  };
}
