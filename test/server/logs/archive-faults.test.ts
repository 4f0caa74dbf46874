/** What dies in the middle, what comes twice, and who reads while a log moves. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createListener, type Listener } from '#db/listen.ts';
import { claimDueLogs } from '#db/queries/log-archive.ts';
import { setCurrentLogStore } from '#db/queries/log-stores.ts';
import { createEventStreams } from '#server/events/event-streams.ts';
import { createLogger } from '#server/log.ts';
import { archiveLog } from '#server/logs/archive-log.ts';
import { createFileStore } from '#server/logs/file-store.ts';
import { startLogArchiver } from '#server/logs/log-archiver.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import type { LogStore } from '#server/logs/log-store.ts';
import type { LogStores } from '#server/logs/log-stores.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, type TestEngine } from '../../helpers/engine.ts';
import { createLoggedTasks, logLine, type LoggedTask } from '../../helpers/logged-tasks.ts';
import { plainLines, readAllText } from '../../helpers/log-reading.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool, url } = database;
const folder = mkdtempSync(join(tmpdir(), 'millrace-logs-'));
const store = createFileStore(folder);
const current = { name: 'file', archiveFrom: 0 };
const storesOf = (one: LogStore): LogStores => ({
  ...{ current, known: ['file'], reading: async () => one, close: () => undefined },
});
const reader = createLogReader({ db, stores: storesOf(store) });
const log = createLogger({ level: 'silent' as 'error', format: 'json' });
const errors: unknown[] = [];
let engine: TestEngine;
let listener: Listener;
let start: () => Promise<LoggedTask>;

beforeAll(async () => {
  engine = createTestEngine(database);
  listener = createListener(url);
  await listener.start();
  start = await createLoggedTasks(database, engine);
  await setCurrentLogStore(db, current);
});
afterAll(async () => {
  await listener.stop();
  await engine.stop();
  rmSync(folder, { recursive: true, force: true });
  expect(errors).toEqual([]);
});

const archiver = (deps: Partial<Parameters<typeof startLogArchiver>[0]> = {}) =>
  startLogArchiver({ db, stores: storesOf(store), log, onError: (error) => errors.push(error), ...deps });
const count = async (table: string, { runId }: LoggedTask) =>
  (await pool.query<{ n: number }>(`select count(*)::int as n from ${table} where run_id = $1`, [runId])).rows[0]!.n;
const isArchived = (task: LoggedTask) => async () =>
  (await count('log_archive', task)) === 1 && (await count('log_due', task)) === 0;
/** As if so much time had passed that their takers must be dead. */
const lookNow = () => pool.query(`update log_due set look_at = now()`);
const filesOf = ({ runId }: LoggedTask) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath.endsWith(`/${runId}`))
    .map((entry) => join(entry.parentPath, entry.name));
const LINES = Array.from({ length: 300 }, (_, i) => logLine(`line ${i}: größer`));

async function endedTask(lines: readonly string[] = LINES): Promise<LoggedTask> {
  const task = await start();
  await task.write(lines.slice(0, 100).join(''), lines.slice(100).join(''));
  await task.end();
  return task;
}
async function take(task: LoggedTask, one: LogStore) {
  await lookNow();
  const claim = randomUUID();
  const due = (await claimDueLogs(db, { claim, limit: 100, seconds: 900 })).find(({ runId }) => runId === task.runId);
  return archiveLog({ db, reader, store: one }, due!, claim);
}
/** It writes all, and that is the last that is heard of it. */
const dying: LogStore = {
  ...store,
  async write(...args) {
    await store.write(...args);
    throw new Error('killed');
  },
};

describe('an archiver that dies between writing and recording', () => {
  it('leaves a log that is archived again, as one object of the same bytes', async () => {
    const task = await endedTask();
    await expect(take(task, dying)).rejects.toThrow('killed');
    const [file] = filesOf(task);
    const before = readFileSync(file!);
    expect(await readAllText(reader, task)).toBe(LINES.join(''));
    await lookNow();
    const { stop } = await archiver();
    await waitFor(isArchived(task), { what: 'the log to be archived' });
    await stop();
    expect(filesOf(task)).toEqual([file]);
    expect(readFileSync(file!).equals(before)).toBe(true);
    expect(gunzipSync(before).toString()).toBe(LINES.join(''));
    expect(await count('log_chunk', task)).toBe(0);
    expect(await readAllText(reader, task)).toBe(LINES.join(''));
  });

  it('leaves nothing behind where the log has grown meanwhile', async () => {
    const task = await endedTask();
    await expect(take(task, dying)).rejects.toThrow('killed');
    const [file] = filesOf(task);
    const late = logLine('what came late');
    await task.write(late);
    await lookNow();
    const { wake, stop } = await archiver();
    await waitFor(isArchived(task), { what: 'the log to be archived' });
    await pool.query('update log_trash set look_at = now()');
    wake();
    await waitFor(() => !filesOf(task).includes(file!), { what: 'the former object to go' });
    await stop();
    expect(filesOf(task)).toHaveLength(1);
    expect(await readAllText(reader, task)).toBe(LINES.join('') + late);
  });
});

describe('two archivers', () => {
  it('move each log once', async () => {
    const tasks: LoggedTask[] = [];
    while (tasks.length < 40) tasks.push(await endedTask());
    await lookNow();
    const written: string[] = [];
    const watched: LogStore = { ...store, write: (key, ...rest) => (written.push(key), store.write(key, ...rest)) };
    const both = await Promise.all([1, 2].map(() => archiver({ stores: storesOf(watched) })));
    for (const task of tasks) await waitFor(isArchived(task), { what: `the log of run ${task.runId} to be archived` });
    await Promise.all(both.map(({ stop }) => stop()));
    expect(new Set(written).size).toBe(40);
    expect(written).toHaveLength(40);
    for (const task of tasks) expect(await readAllText(reader, task)).toBe(LINES.join(''));
  });

  it('of which one was believed dead: what it comes with late changes nothing', async () => {
    const task = await endedTask();
    let hasWritten!: () => void;
    let goOn!: () => void;
    const written = new Promise<void>((resolve) => (hasWritten = resolve));
    const released = new Promise<void>((resolve) => (goOn = resolve));
    const slow: LogStore = {
      ...store,
      async write(...args) {
        const blocks = await store.write(...args);
        hasWritten();
        await released;
        return blocks;
      },
    };
    const late = take(task, slow);
    await written;
    expect(await take(task, store)).toEqual({ bytes: Buffer.byteLength(LINES.join('')) });
    goOn();
    expect(await late).toBeUndefined();
    expect(await count('log_archive', task)).toBe(1);
    expect(filesOf(task)).toHaveLength(1);
    expect(await readAllText(reader, task)).toBe(LINES.join(''));
  });
});

describe('who follows a log', () => {
  it('loses and repeats nothing when it moves in the middle', async () => {
    const streams = createEventStreams({ db, logs: reader, listener, log });
    const lines = Array.from({ length: 3_500 }, (_, i) => logLine(`line ${i}: größer`));
    // After so many pages it moves
    for (const pages of [0, 1, 2, 3, 4]) {
      const task = await start();
      await task.write(lines.slice(0, 500).join(''), lines.slice(500, 1_700).join(''));
      const stream = (await streams.taskLog(task, null, 0))!;
      const seen: string[] = [];
      const pull = async () => {
        const { value, done } = await stream[Symbol.asyncIterator]().next();
        if (!done) seen.push(...value.lines.map(({ text }) => text));
        return !done;
      };
      if (pages > 0) await pull();
      await task.write(lines.slice(1_700, 3_000).join(''), lines.slice(3_000).join(''));
      await task.end();
      for (let page = 1; page < pages; page++) await pull();
      expect(await take(task, store)).toBeDefined();
      while (await pull());
      expect(seen, `moved after ${pages} pages`).toEqual(plainLines(lines.join('')).map(({ text }) => text));
    }
    await streams.stop();
  });
});
