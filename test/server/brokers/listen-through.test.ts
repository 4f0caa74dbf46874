import { expect, it } from 'vitest';
import { QUEUE_CHANGED } from '#db/queries/queues.ts';
import { listenThrough } from '#server/brokers/listen-through.ts';

/** A listener that the test speaks for. */
function createVoice() {
  const handlers = new Map<string, Set<(payload: string) => void>>();
  return {
    on(channel: string, fn: (payload: string) => void) {
      handlers.set(channel, (handlers.get(channel) ?? new Set()).add(fn));
      return () => void handlers.get(channel)?.delete(fn);
    },
    say: (channel: string, payload = '') => handlers.get(channel)?.forEach((fn) => fn(payload)),
  };
}

it('workers are woken by the broker while it is there, by Postgres while it is not, and when a queue was resumed', () => {
  const postgres = createVoice();
  const redis = createVoice();
  let isUp = true;
  const through = listenThrough(
    { on: postgres.on, onResync: (fn) => postgres.on('resync', fn) },
    {
      onReady: (fn) => redis.on('ready', fn),
      onResync: (fn) => redis.on('resync', fn),
      isUp: () => isUp,
    },
  );
  const heard: string[] = [];
  const off = through.on('millrace_ready', (queue) => heard.push(queue));
  through.on('millrace_event', () => heard.push('event'));
  const offResync = through.onResync(() => heard.push('resync'));
  postgres.say('millrace_ready', 'early');
  redis.say('ready', 'told');
  postgres.say(QUEUE_CHANGED, 'resumed');
  isUp = false;
  postgres.say('millrace_ready', 'notified');
  postgres.say('millrace_event');
  postgres.say('resync');
  redis.say('resync');
  expect(heard).toEqual(['told', 'resumed', 'notified', 'event', 'resync', 'resync']);
  off();
  offResync();
  postgres.say('millrace_ready', 'later');
  redis.say('ready', 'later');
  redis.say('resync');
  expect(heard).toHaveLength(6);
});
