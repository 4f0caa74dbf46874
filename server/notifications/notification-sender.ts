/** Sends what is due, a few at a time. However slow the other sides are, nothing else waits for them. */
import type { Listener } from '#db/listen.ts';
import {
  claimNotifications,
  millisecondsToNotification,
  recordDelivery,
  type NotificationRow,
} from '#db/queries/notifications.ts';
import type { Logger } from '../log.ts';
import { startLoop } from '../scheduler/loop.ts';
import { deliver, type DeliverDeps } from './deliver.ts';

const MOST_AT_ONCE = 8;
/** One receiver that hangs must not hold up the others. */
const MOST_PER_CONNECTION = 3;
/** A sender that has not answered by then has died. */
const CLAIM_SECONDS = 60;
const POLL_MS = 5_000;

export interface SenderDeps extends DeliverDeps {
  listener: Pick<Listener, 'on' | 'onResync'>;
  log: Logger;
  onError(error: unknown, loop: string): void;
}

export function startNotificationSender(deps: SenderDeps): { stop(): Promise<void> } {
  const { db, listener, log, onError } = deps;
  const active = new Map<Promise<void>, NotificationRow>();

  const busy = (): string[] => {
    const counts = new Map<string, number>();
    for (const { connection } of active.values())
      if (connection !== null) counts.set(connection, (counts.get(connection) ?? 0) + 1);
    return [...counts].filter(([, count]) => count >= MOST_PER_CONNECTION).map(([connection]) => connection);
  };

  async function attempt(row: NotificationRow): Promise<void> {
    const result = await deliver(deps, row);
    await recordDelivery(db, row, result);
    const { id, event, connection } = row;
    if (result.state === 'dead')
      log.error({ id, event, connection, reason: result.error }, 'a notification is given up');
    else if (result.state === 'pending')
      log.warn({ id, event, connection, reason: result.error }, 'a notification did not arrive; it is sent again');
  }

  function begin(row: NotificationRow): void {
    const sending: Promise<void> = attempt(row)
      // Its claim ends by itself: it is sent again
      .catch((error: unknown) => onError(error, 'send notifications'))
      .finally(() => {
        active.delete(sending);
        loop.wake();
      });
    active.set(sending, row);
  }

  async function pass(): Promise<number> {
    if (active.size >= MOST_AT_ONCE) return POLL_MS;
    // One by one, for which connections are busy changes with each
    const rows = await claimNotifications(db, { limit: 1, seconds: CLAIM_SECONDS, busy: busy() });
    for (const row of rows) begin(row);
    if (rows.length > 0) return 0;
    return Math.max(1, (await millisecondsToNotification(db, busy())) ?? Infinity);
  }

  const loop = startLoop({ name: 'send notifications', mostMs: POLL_MS, onError, pass });
  const off = [listener.on('millrace_notification', loop.wake), listener.onResync(loop.wake)];
  return {
    async stop() {
      for (const stop of off) stop();
      await loop.stop();
      await Promise.all(active.keys());
    },
  };
}
