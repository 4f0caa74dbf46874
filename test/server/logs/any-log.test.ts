import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { claimDueLogs } from '#db/queries/log-archive.ts';
import { setCurrentLogStore } from '#db/queries/log-stores.ts';
import { archiveLog } from '#server/logs/archive-log.ts';
import { createElasticsearchStore } from '#server/logs/elasticsearch-store.ts';
import { createFileStore } from '#server/logs/file-store.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import type { LogStore } from '#server/logs/log-store.ts';
import { createS3Store } from '#server/logs/s3-store.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { startFakeElasticsearch } from '../../helpers/fake-elasticsearch.ts';
import { S3_CREDENTIALS, startS3 } from '../../helpers/s3-server.ts';
import { createTestEngine, type TestEngine } from '../../helpers/engine.ts';
import { plainHits, plainLines, readAllLines, searchAll } from '../../helpers/log-reading.ts';
import { anyLog, createLoggedTasks, type LoggedTask } from '../../helpers/logged-tasks.ts';

const database = await createTestDatabase();
const { db } = database;
const folder = mkdtempSync(join(tmpdir(), 'millrace-logs-'));
const s3 = await startS3();
const elasticsearch = await startFakeElasticsearch();
const stores: { [name: string]: LogStore | null } = {
  postgres: null,
  file: createFileStore(folder),
  s3: createS3Store(s3.config, { credentials: S3_CREDENTIALS }),
  elasticsearch: createElasticsearchStore({
    ...{ url: elasticsearch.url, apiKey: 'key', user: null, password: null, index: 'millrace-logs', period: 'day' },
  }),
};
const reader = createLogReader({
  db,
  stores: { reading: async (name) => stores[name] ?? Promise.reject(new Error(`no store ${name}`)) },
});
let engine: TestEngine;
let start: () => Promise<LoggedTask>;

beforeAll(async () => {
  engine = createTestEngine(database);
  start = await createLoggedTasks(database, engine);
});
afterAll(async () => {
  await engine.stop();
  for (const store of Object.values(stores)) store?.close?.();
  await Promise.all([s3.stop(), elasticsearch.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function move(store: LogStore, blockBytes: number): Promise<void> {
  const claim = randomUUID();
  const dues = await claimDueLogs(db, { claim, limit: 10, seconds: 60 });
  expect(dues).toHaveLength(1);
  expect(await archiveLog({ db, reader, store, blockBytes }, dues[0]!, claim)).toBeDefined();
}

describe.each(Object.keys(stores))('any log in %s', (name) => {
  const store = stores[name] ?? null;

  it('reads as its text does: all of it, from any offset, and its end', { timeout: 120_000 }, async () => {
    await setCurrentLogStore(db, store && { name, archiveFrom: 0 });
    const property = fc.asyncProperty(
      anyLog,
      fc.record({
        block: fc.integer({ min: 200, max: 2_000 }),
        from: fc.nat(6_000),
        limit: fc.integer({ min: 1, max: 50 }),
        tail: fc.integer({ min: 1, max: 70 }),
      }),
      async ({ text, chunks }, { block, from, limit, tail }) => {
        const task = await start();
        await task.write(...chunks);
        await task.end();
        if (store) await move(store, block);
        const lines = plainLines(text);
        const logBytes = Buffer.byteLength(text);
        const strip = (some: { offset: number; text: string }[]) =>
          some.map((line) => ({ offset: line.offset, text: line.text }));
        expect(strip(await readAllLines(reader, task, { limit, logBytes }))).toEqual(lines);
        const place = from % (logBytes + 1);
        const after = lines.filter((line) => line.offset >= place);
        expect(strip(await readAllLines(reader, task, { from: place, limit, logBytes }))).toEqual(after);
        expect(await reader.findTail(task, tail)).toBe(lines.at(-tail)?.offset ?? 0);
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it('is searched as its text is, page after page', { timeout: 120_000 }, async () => {
    await setCurrentLogStore(db, store && { name, archiveFrom: 0 });
    const property = fc.asyncProperty(
      anyLog,
      fc.record({
        block: fc.integer({ min: 200, max: 2_000 }),
        limit: fc.integer({ min: 1, max: 5 }),
        context: fc.integer({ min: 0, max: 3 }),
        wanted: fc.constantFrom('needle', 'NEEDLE', 'eed', 'ü', '🪡', 'x', '语', 'not there at all', 'heu: n'),
        isCaseSensitive: fc.boolean(),
      }),
      async ({ text, chunks }, { block, limit, context, wanted, isCaseSensitive }) => {
        const task = await start();
        await task.write(...chunks);
        await task.end();
        if (store) await move(store, block);
        const request = { text: wanted, isCaseSensitive, limit, context };
        expect(await searchAll(reader, task, request)).toEqual(plainHits(text, request));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});
