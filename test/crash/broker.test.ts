/** Real servers, schedulers and workers with a real Redis as their broker, which is wiped, killed and comes back while they work. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkRuns } from '../helpers/check-runs.ts';
import { startTestRedis, type TestRedis } from '../helpers/redis.ts';
import { createService, type Service } from '../helpers/service.ts';
import { startWorkload } from '../helpers/workload.ts';

let redis: TestRedis;
let service: Service;
beforeAll(async () => {
  redis = await startTestRedis();
  service = await createService({ MILLRACE_BROKER: 'redis', MILLRACE_REDIS_URL: redis.url });
  for (const piece of ['server', 'scheduler', 'worker-a', 'worker-b'] as const) await service.start(piece);
}, 60_000);
afterAll(async () => {
  await service.stop();
  await redis.stop();
});

it('every task runs exactly once while Redis is emptied, killed and restarted, and a server is killed', async () => {
  const workload = await startWorkload(() => service.database(), { runs: 12, lines: 6 });
  let starts: string[] = [];
  try {
    await workload.progress(30);
    await redis.client.flushall();
    await workload.progress(30);
    await redis.kill();
    await workload.progress(40);
    await redis.start();
    await workload.progress(30);
    await service.kill('server');
    await redis.client.flushall();
    await service.start('server');
    await workload.allEnded(90_000);
    starts = workload.starts();
  } catch (error) {
    throw new Error(service.output(), { cause: error });
  } finally {
    workload.remove();
  }
  expect(starts.filter((line, i) => starts.indexOf(line) !== i)).toEqual([]);
  // Of the five tasks of a line one fails at first
  expect(starts.length).toBeGreaterThanOrEqual(12 * 6 * 6);
  await checkRuns(service.database(), { finished: true });
  expect(service.output()).toMatch(/Redis is the broker/);
  expect(service.output()).toMatch(/claims ask Postgres until it does/);
  expect((await redis.client.keys('*')).filter((key) => key.includes(':ready:'))).toEqual([]);
}, 180_000);
