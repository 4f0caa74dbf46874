import type { Listener } from '#db/listen.ts';
import { QUEUE_CHANGED } from '#db/queries/queues.ts';
import type { RedisBroker } from './redis-broker.ts';

/** Wakes workers once what is ready can be taken from the broker, a moment after the commit that Postgres tells of; by that while it is away. */
export function listenThrough(
  listener: Pick<Listener, 'on' | 'onResync'>,
  broker: Pick<RedisBroker, 'onReady' | 'onResync' | 'isUp'>,
): Pick<Listener, 'on' | 'onResync'> {
  const all =
    (...offs: (() => void)[]) =>
    () =>
      offs.forEach((off) => off());
  return {
    on: (channel, fn) =>
      channel !== 'millrace_ready'
        ? listener.on(channel, fn)
        : all(
            broker.onReady(fn),
            listener.on(channel, (queue) => broker.isUp() || fn(queue)),
            // What stands in one that was resumed has been there all along
            listener.on(QUEUE_CHANGED, fn),
          ),
    onResync: (fn) => all(listener.onResync(fn), broker.onResync(fn)),
  };
}
