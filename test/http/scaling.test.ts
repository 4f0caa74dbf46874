import { afterAll, beforeAll, expect, it } from 'vitest';
import { pauseQueue, setQueue } from '#db/queries/queues.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let token: string;
beforeAll(async () => {
  app = await startTestApp(database);
  token = await app.token('viewer');
});
afterAll(() => app.stop());

const ask = (name: string, bearer: string | null = token) =>
  fetch(`${app.url()}/scaling/queues/${name}`, bearer ? { headers: { authorization: `Bearer ${bearer}` } } : {});

it('tells an autoscaler what a queue needs: what is ready and what runs; a paused one needs nothing for what is ready', async () => {
  const queue = 'gpu';
  const { dagId } = await app.engine.deploy(dagOf('d', { a: { queue }, b: { queue }, c: { queue } }));
  await app.engine.createRuns([{ dagId, kind: 'manual' }]);
  const info = { name: 'w', queues: [queue], slots: 4, version: 't', hostname: null, pid: null };
  const workerId = await app.engine.registerWorker(info);
  await app.engine.claim({ workerId, queues: [queue], limit: 1 });
  const response = await ask('gpu');
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
  const told = { queue, paused: false, depth: 2, running: 1, wanted: 3, consumers: 1, slots: 4, freeSlots: 3 };
  expect(await response.json()).toEqual({ ...told, oldestSeconds: expect.any(Number) });
  await pauseQueue(database.db, queue, 'test');
  expect(await (await ask('gpu')).json()).toEqual({ ...told, paused: true, depth: 0, wanted: 1, oldestSeconds: 0 });
  await setQueue(database.db, { name: 'empty' }, 'test');
  expect(await (await ask('empty')).json()).toMatchObject({ depth: 0, running: 0, wanted: 0, oldestSeconds: 0 });
});

it('refuses whoever may not read, and says that a queue is not known', async () => {
  expect((await ask('gpu', null)).status).toBe(401);
  expect((await ask('gpu', await app.token('worker'))).status).toBe(403);
  for (const unknown of ['gpus', 'a%00b', '@triggerer']) expect((await ask(unknown)).status).toBe(404);
  expect(await (await ask('gpus')).text()).toContain('There is no queue "gpus": no task names it');
});
