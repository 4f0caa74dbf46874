import { expect, it, onTestFinished } from 'vitest';
import { createServiceSocket } from '#server/worker/service-socket.ts';
import { startTestApp } from '../../helpers/app.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { openFaultyLine } from '../../helpers/faulty-line.ts';

const database = await createTestDatabase();
const VERSION = '{ serviceHealth { version } }';

it('gives up a socket that looks open and on which nothing arrives any more', async () => {
  const app = await startTestApp(database);
  onTestFinished(() => app.stop());
  const line = await openFaultyLine([Number(new URL(app.url()).port)]);
  onTestFinished(() => line.stop());
  const socket = createServiceSocket({
    url: `http://127.0.0.1:${line.port}`,
    headers: { authorization: `Bearer ${await app.token('viewer')}` },
    timeoutMs: 10_000,
    keepAliveMs: 200,
  });
  onTestFinished(() => socket.close());
  const seen: unknown[] = [];
  const leave = socket.subscribe(
    { query: 'subscription { dagChanges { __typename } }' },
    { next: (message) => seen.push(message), error: () => undefined, complete: () => undefined },
  );
  onTestFinished(leave);
  expect(await socket.request(VERSION, {})).toEqual({ version: 'test' });
  line.forget();
  // Without the missing answer to a ping it would wait for the whole time limit, and the next request with it
  expect(await socket.request(VERSION, {})).toEqual({ version: 'test' });
});
