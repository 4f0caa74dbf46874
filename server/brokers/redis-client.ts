/** The connection to Redis: one that fails at once rather than keep anybody waiting, and comes back by itself. */
import { Redis } from 'ioredis';

const COMMAND_MS = 1_000;
const CONNECT_MS = 2_000;
const MOST_PAUSE_MS = 2_000;

/** Connects when it is told to. */
export function createRedisClient(url: string): Redis {
  return new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    commandTimeout: COMMAND_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(MOST_PAUSE_MS, 50 * 2 ** attempt),
  });
}
