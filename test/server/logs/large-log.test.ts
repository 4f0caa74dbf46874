/** A log of 100 MB: what is read of it is right, and does not depend on its length for memory. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { claimDueLogs } from '#db/queries/log-archive.ts';
import { setCurrentLogStore } from '#db/queries/log-stores.ts';
import { buildLogPage } from '#schema/log-page.ts';
import { archiveLog } from '#server/logs/archive-log.ts';
import { createFileStore } from '#server/logs/file-store.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, type TestEngine } from '../../helpers/engine.ts';
import { createLoggedTasks, logLine, type LoggedTask } from '../../helpers/logged-tasks.ts';
import { searchAll } from '../../helpers/log-reading.ts';

const MB = 2 ** 20;
/** Whoever held all of it would take twice its length, as text and as bytes. */
const MOST_GROWTH = 128 * MB;
/** Of a chunk: such as busy workers send. */
const LINES = 500;
const CHUNKS = 2_200;
const lineOf = (chunk: number, i: number) =>
  `chunk ${String(chunk).padStart(4, '0')} line ${String(i).padStart(4, '0')} ${chunk % 200 === 199 && i === 250 ? 'a needle is in here, do look' : 'rows of a table were loaded now'} and so on and on`;
const chunkOf = (chunk: number) => Array.from({ length: LINES }, (_, i) => logLine(lineOf(chunk, i))).join('');

const database = await createTestDatabase();
const { db } = database;
const folder = mkdtempSync(join(tmpdir(), 'millrace-logs-'));
const store = createFileStore(folder);
const reader = createLogReader({ db, stores: { reading: async () => store } });
let engine: TestEngine;
let task: LoggedTask;
let bytes = 0;

beforeAll(async () => {
  engine = createTestEngine(database);
  await setCurrentLogStore(db, { name: 'file', archiveFrom: 0 });
  task = await (await createLoggedTasks(database, engine))();
  for (let chunk = 0; chunk < CHUNKS; chunk += 10) {
    const bodies = Array.from({ length: 10 }, (_, i) => chunkOf(chunk + i));
    bytes += bodies.reduce((sum, body) => sum + body.length, 0);
    await task.write(...bodies);
  }
  await task.end();
}, 60_000);
afterAll(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** How much more memory the process takes while the work goes on than before it. */
async function growthOf(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().rss;
  let most = before;
  const look = () => void (most = Math.max(most, process.memoryUsage().rss));
  const timer = setInterval(look, 10);
  await work().finally(() => clearInterval(timer));
  look();
  return most - before;
}

async function lookAtAll(): Promise<void> {
  const source = { tryNumber: 1, dispatchId: task.uuid, end: { logBytes: bytes, secondsAgo: 600 } };
  const pageFrom = async (offset: number, limit: number) =>
    buildLogPage({ ...(await reader.read(task, offset)), offset, limit, source });
  const first = await pageFrom(0, 1_000);
  expect(first.lines.map(({ text }) => text)).toEqual(
    Array.from({ length: 1_000 }, (_, i) => lineOf(i < LINES ? 0 : 1, i % LINES)),
  );
  const last = await pageFrom(await reader.findTail(task, 100), 1_000);
  expect(last.lines.map(({ text }) => text)).toEqual(
    Array.from({ length: 100 }, (_, i) => lineOf(CHUNKS - 1, LINES - 100 + i)),
  );
  expect(last.complete).toBe(true);
  const hits = await searchAll(reader, task, { text: 'NEEDLE', isCaseSensitive: false, limit: 4, context: 1 });
  expect(hits.map(({ lineNumber, text, before, after }) => ({ lineNumber, text, before, after }))).toEqual(
    Array.from({ length: CHUNKS / 200 }, (_, n) => {
      const chunk = 200 * n + 199;
      return {
        ...{ lineNumber: chunk * LINES + 251, text: lineOf(chunk, 250) },
        ...{ before: [lineOf(chunk, 249)], after: [lineOf(chunk, 251)] },
      };
    }),
  );
}

describe('a log of 100 MB', () => {
  it('is read and searched in Postgres within bounds of memory', { timeout: 60_000 }, async () => {
    expect(bytes).toBeGreaterThan(100 * MB);
    expect(await growthOf(lookAtAll)).toBeLessThan(MOST_GROWTH);
  });

  it('is moved, read and searched in a folder within them', { timeout: 60_000 }, async () => {
    const claim = randomUUID();
    const [due] = await claimDueLogs(db, { claim, limit: 1, seconds: 600 });
    const moving = async () => {
      expect(await archiveLog({ db, reader, store }, due!, claim)).toEqual({ bytes });
    };
    expect(await growthOf(moving)).toBeLessThan(MOST_GROWTH);
    expect(await growthOf(lookAtAll)).toBeLessThan(MOST_GROWTH);
  });
});
