/** Stores that are away: real ones, of which each fails in its own way. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setCurrentLogStore } from '#db/queries/log-stores.ts';
import { readServiceHealth } from '#db/queries/service-health.ts';
import { createLogger } from '#server/log.ts';
import { createElasticsearchStore } from '#server/logs/elasticsearch-store.ts';
import { createFileStore } from '#server/logs/file-store.ts';
import { startLogArchiver } from '#server/logs/log-archiver.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import type { LogStore } from '#server/logs/log-store.ts';
import type { LogStores } from '#server/logs/log-stores.ts';
import { createS3Store } from '#server/logs/s3-store.ts';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { startFakeElasticsearch } from '../../helpers/fake-elasticsearch.ts';
import { createLoggedTasks, logLine, type LoggedTask } from '../../helpers/logged-tasks.ts';
import { readAllText } from '../../helpers/log-reading.ts';
import { S3_CREDENTIALS, startS3 } from '../../helpers/s3-server.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const folder = mkdtempSync(join(tmpdir(), 'millrace-logs-'));
const root = join(folder, 'logs');
const s3 = await startS3();
const elasticsearch = await startFakeElasticsearch();
const elastic = { apiKey: 'key', user: null, password: null, index: 'millrace-logs', period: 'day' } as const;
let app: TestApp;
let start: () => Promise<LoggedTask>;

beforeAll(async () => {
  app = await startTestApp(database);
  start = await createLoggedTasks(database, app.engine);
});
afterAll(async () => {
  await app.stop();
  await Promise.all([s3.stop(), elasticsearch.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

interface Case {
  how: string;
  store: LogStore;
  away(): Promise<unknown> | void;
  back(): Promise<unknown> | void;
  says: RegExp;
}
const refusing = (status: number): Omit<Case, 'says' | 'how'> => ({
  store: createElasticsearchStore({ url: elasticsearch.url, ...elastic }),
  away: () => elasticsearch.failWith(status),
  back: () => elasticsearch.failWith(null),
});
const CASES: Case[] = [
  {
    how: 'a service of buckets that does not answer',
    store: createS3Store(s3.config, { credentials: S3_CREDENTIALS, maxAttempts: 1 }),
    away: () => s3.goAway(),
    back: () => s3.comeBack(),
    says: /^The log store "s3" does not take logs: .*ECONNREFUSED/,
  },
  { how: 'Elasticsearch that has too much to do', ...refusing(429), says: /"elasticsearch" .*429/ },
  { how: 'Elasticsearch that is down', ...refusing(503), says: /"elasticsearch" .*503/ },
  {
    how: 'a folder that is none',
    store: createFileStore(root),
    away: () => {
      renameSync(root, `${root}.away`);
      writeFileSync(root, '');
    },
    back: () => {
      rmSync(root);
      renameSync(`${root}.away`, root);
    },
    says: /"file" .*(ENOTDIR|EEXIST)/,
  },
];

const count = async (table: string, { runId }: LoggedTask) =>
  (await pool.query<{ n: number }>(`select count(*)::int as n from ${table} where run_id = $1`, [runId])).rows[0]!.n;
const healthOf = async () => (await readServiceHealth(db)).logStore;
const TEXT = Array.from({ length: 200 }, (_, i) => logLine(`line ${i}: größer`)).join('');

describe.each(CASES)('$how', ({ store, away, back, says }) => {
  it('costs no log: it stays in Postgres, the health says why, and it moves once the store is back', async () => {
    const stores: LogStores = {
      current: { name: store.name, archiveFrom: 0 },
      known: [store.name],
      reading: async () => store,
      close: () => undefined,
    };
    const reader = createLogReader({ db, stores });
    const counted = { archived: 0, failed: 0 };
    const metrics = {
      archived: () => void (counted.archived += 1),
      failed: () => void (counted.failed += 1),
      deleted: () => undefined,
    };
    const errors: unknown[] = [];
    const log = createLogger({ level: 'silent' as 'error', format: 'json' });
    await setCurrentLogStore(db, stores.current);
    const onError = (error: unknown) => errors.push(error);
    const archiver = await startLogArchiver({ db, stores, log, onError, metrics });
    expect(await healthOf()).toMatchObject({ name: store.name, failingSince: null, lastError: null });
    await away();
    const task = await start();
    await task.write(TEXT);
    await task.end();
    await pool.query('update log_due set look_at = now() where run_id = $1 and claim is null', [task.runId]);
    archiver.wake();
    await waitFor(async () => (await healthOf())?.failingSince, { what: 'the failure to be told' });
    const { serviceHealth } = (
      await app.graphql(
        '{ serviceHealth { status logStore { name failingSince lastError waiting } } }',
        {},
        await app.token('viewer'),
      )
    ).data;
    expect(serviceHealth).toMatchObject({
      status: 'log_store_failing',
      logStore: {
        name: store.name,
        failingSince: expect.any(String),
        lastError: expect.stringMatching(says),
        waiting: 1,
      },
    });
    expect(await readAllText(reader, task)).toBe(TEXT);
    expect(await count('log_archive', task)).toBe(0);

    await back();
    archiver.wake();
    await waitFor(async () => (await count('log_archive', task)) === 1, { what: 'the log to be archived' });
    await waitFor(async () => !(await healthOf())?.failingSince, { what: 'the health to be well again' });
    expect(await count('log_chunk', task)).toBe(0);
    expect(await readAllText(reader, task)).toBe(TEXT);
    expect(await healthOf()).toEqual({ name: store.name, failingSince: null, lastError: null, waiting: 0 });
    expect(counted).toEqual({ archived: 1, failed: expect.any(Number) });
    expect(counted.failed).toBeGreaterThan(0);
    await archiver.stop();
    store.close?.();
    expect(errors).toEqual([]);
  });
});

it('a store is known to work again although no log waits', async () => {
  const stores: LogStores = {
    current: { name: 'file', archiveFrom: 0 },
    known: ['file'],
    reading: async () => ({
      ...createFileStore(root),
      check: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve()),
    }),
    close: () => undefined,
  };
  let isAway = true;
  const log = createLogger({ level: 'silent' as 'error', format: 'json' });
  const archiver = await startLogArchiver({ db, stores, log, onError: () => undefined });
  expect(await healthOf()).toMatchObject({ lastError: 'The log store "file" does not take logs: away' });
  isAway = false;
  archiver.wake();
  await waitFor(async () => (await healthOf())?.failingSince === null, { what: 'the health to be well again' });
  await archiver.stop();
});
