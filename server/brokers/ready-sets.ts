/**
 * The lines of ready tasks in Redis: a sorted set for each queue, of ids of ready_task by rank. Adding what is there already changes
 * nothing, and what is taken is gone: no second list of what is under way has to be kept.
 */
import type { Redis } from 'ioredis';
import type { ReadyRow } from '#db/queries/task-transitions/ready-rows.ts';

/** Equal ranks are in the order of their members as texts. */
const memberOf = (id: number): string => String(id).padStart(16, '0');
const MOST_AT_ONCE = 1_000;

/** ARGV: how many. Answer: for each its key's place, its rank, its member. */
const TAKE = `
local most, found = tonumber(ARGV[1]), {}
for place, key in ipairs(KEYS) do
  local list = redis.call('zrange', key, 0, most - 1, 'withscores')
  for at = 1, #list, 2 do found[#found + 1] = { tonumber(list[at + 1]), list[at], place } end
end
table.sort(found, function(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return a[2] < b[2] end)
local taken = {}
for at = 1, math.min(most, #found) do
  local rank, member, place = unpack(found[at])
  redis.call('zrem', KEYS[place], member)
  taken[#taken + 1] = place
  taken[#taken + 1] = rank
  taken[#taken + 1] = member
end
return taken`;

export interface ReadySets {
  /** Puts rows in; whoever listens is woken. */
  add(rows: readonly ReadyRow[], wake: boolean): Promise<void>;
  wake(queues: readonly string[]): Promise<void>;
  /** Takes rows out, first in line first, over all of these queues. */
  take(queues: readonly string[], limit: number): Promise<ReadyRow[]>;
  /** Those of the rows, all of one queue, that are not in its set, and how many members that has. */
  compare(queue: string, rows: readonly ReadyRow[]): Promise<{ missing: ReadyRow[]; size: number }>;
  drop(queue: string): Promise<void>;
  /** Queues that ever had a set and have not been forgotten. */
  queues(): Promise<string[]>;
  /** True: nobody else has had it within this time. */
  holdSweep(ms: number): Promise<boolean>;
}

type WithTake = Redis & { takeReady(keys: number, ...args: (string | number)[]): Promise<(string | number)[]> };

/** `prefix` in braces, so that all keys are in one slot of a Redis cluster. */
export function createReadySets(client: Redis, prefix: string): ReadySets {
  client.defineCommand('takeReady', { lua: TAKE });
  const redis = client as WithTake;
  const key = (queue: string) => `${prefix}ready:${queue}`;
  const registry = `${prefix}queues`;

  return {
    async add(rows, wake) {
      const pipeline = redis.pipeline();
      for (const [queue, own] of groupByQueue(rows)) {
        for (let at = 0; at < own.length; at += MOST_AT_ONCE)
          pipeline.zadd(
            key(queue),
            ...own.slice(at, at + MOST_AT_ONCE).flatMap(({ rank, id }) => [rank, memberOf(id)]),
          );
        pipeline.sadd(registry, queue);
        if (wake) pipeline.publish(wakeChannel(prefix), queue);
      }
      throwFirst(await pipeline.exec());
    },
    async wake(queues) {
      const pipeline = redis.pipeline();
      for (const queue of queues) pipeline.publish(wakeChannel(prefix), queue);
      throwFirst(await pipeline.exec());
    },
    async take(queues, limit) {
      if (queues.length === 0) return [];
      const flat = await redis.takeReady(queues.length, ...queues.map(key), limit);
      const taken: ReadyRow[] = [];
      for (let at = 0; at < flat.length; at += 3)
        taken.push({ queue: queues[Number(flat[at]) - 1]!, rank: Number(flat[at + 1]), id: Number(flat[at + 2]) });
      return taken;
    },
    async compare(queue, rows) {
      const members = rows.map(({ id }) => memberOf(id));
      const [scores, size] = await Promise.all([
        members.length === 0 ? [] : redis.zmscore(key(queue), ...members),
        redis.zcard(key(queue)),
      ]);
      return { missing: rows.filter((_, at) => scores[at] == null), size };
    },
    async drop(queue) {
      throwFirst(await redis.pipeline().del(key(queue)).srem(registry, queue).exec());
    },
    queues: () => redis.smembers(registry),
    holdSweep: async (ms) => (await redis.set(`${prefix}sweep`, '1', 'PX', ms, 'NX')) === 'OK',
  };
}

export const wakeChannel = (prefix: string): string => `${prefix}wake`;

export function groupByQueue(rows: readonly ReadyRow[]): Map<string, ReadyRow[]> {
  const groups = new Map<string, ReadyRow[]>();
  for (const row of rows) {
    const group = groups.get(row.queue);
    if (group) group.push(row);
    else groups.set(row.queue, [row]);
  }
  return groups;
}

function throwFirst(results: [error: Error | null, result: unknown][] | null): void {
  for (const [error] of results ?? []) if (error) throw error;
}
