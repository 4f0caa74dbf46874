import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '#server/log.ts';
import { startLogArchiver, type LogArchiver } from '#server/logs/log-archiver.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import { createLogStores, ONLY_POSTGRES } from '#server/logs/log-stores.ts';
import { readPieces } from '#server/logs/read-pieces.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, type TestEngine } from '../../helpers/engine.ts';
import { createLoggedTasks, logLine, type LoggedTask } from '../../helpers/logged-tasks.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const folder = mkdtempSync(join(tmpdir(), 'millrace-logs-'));
const stores = createLogStores({ ...ONLY_POSTGRES, current: 'file', archiveFrom: 1_000, file: { folder } });
const reader = createLogReader({ db, stores });
const errors: unknown[] = [];
const running: LogArchiver[] = [];
let engine: TestEngine;
let start: () => Promise<LoggedTask>;

beforeAll(async () => {
  engine = createTestEngine(database);
  start = await createLoggedTasks(database, engine);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((archiver) => archiver.stop()));
  expect(errors).toEqual([]);
});
afterAll(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function archive(): Promise<LogArchiver> {
  const archiver = await startLogArchiver({
    db,
    stores,
    log: createLogger({ level: 'silent' as 'error', format: 'json' }),
    onError: (error) => errors.push(error),
  });
  running.push(archiver);
  return archiver;
}
const rowsOf = async (table: string, { runId }: { runId: number }) =>
  (await pool.query<{ count: number }>(`select count(*)::int as count from ${table} where run_id = $1`, [runId]))
    .rows[0]!.count;
const isArchived = (task: LoggedTask) => async () => (await rowsOf('log_archive', task)) === 1;
const lookNow = () => pool.query(`update log_due set look_at = now() where claim is null`);
const textOf = async (task: LoggedTask) => {
  let text = '';
  for await (const { body } of readPieces(reader, task)) text += body;
  return text;
};
const keyOf = async (task: LoggedTask) =>
  (await pool.query<{ key: string }>('select key from log_archive where run_id = $1', [task.runId])).rows[0]!.key;
const LINES = Array.from({ length: 100 }, (_, i) => logLine(`line ${i} of a log: größer`));

describe('a log that has ended', () => {
  it('moves to the store once, whole, and its chunks go', async () => {
    const task = await start();
    await archive();
    await task.write(LINES.slice(0, 50).join(''), LINES.slice(50).join(''));
    await task.end();
    await lookNow();
    const [archiver] = running;
    archiver?.wake();
    await waitFor(isArchived(task), { what: 'the log to be archived' });
    expect(await rowsOf('log_chunk', task)).toBe(0);
    expect(await rowsOf('log_due', task)).toBe(0);
    expect(await textOf(task)).toBe(LINES.join(''));
    const file = join(folder, await keyOf(task));
    expect(file).toContain(`/logged/${task.runId}/write.1.`);
    expect(gunzipSync(readFileSync(file)).toString()).toBe(LINES.join(''));
  });

  it('stays in Postgres while it is short', async () => {
    const task = await start();
    await task.write(LINES[0]!);
    await task.end();
    expect(await rowsOf('log_due', task)).toBe(0);
    expect(await textOf(task)).toBe(LINES[0]);
  });

  it('is waited for while chunks are missing, and then archived with what there is', async () => {
    const task = await start();
    await archive();
    const text = LINES.join('');
    const bytes = Buffer.byteLength(text);
    await task.append({ offset: 0, body: LINES[0]! }, { offset: 500, body: text });
    await task.end(bytes + 500);
    await lookNow();
    running[0]?.wake();
    await waitFor(
      async () =>
        (await pool.query('select from log_due where run_id = $1 and claim is null and look_at > now()', [task.runId]))
          .rowCount === 1,
      { what: 'the log to be looked at' },
    );
    expect(await rowsOf('log_archive', task)).toBe(0);
    await task.endedAgo(600);
    await lookNow();
    running[0]?.wake();
    await waitFor(isArchived(task), { what: 'the log to be archived' });
    const { chunks } = await reader.read(task, 0);
    expect(chunks).toEqual([
      { byte_offset: 0, body: LINES[0] },
      { byte_offset: 500, body: text },
    ]);
  });

  it('takes in what comes late, and what comes twice', async () => {
    const task = await start();
    await archive();
    await task.append({ offset: 0, body: LINES.join('') });
    await task.end(10_000_000);
    await task.endedAgo(600);
    await lookNow();
    running[0]?.wake();
    await waitFor(isArchived(task), { what: 'the log to be archived' });
    const before = await keyOf(task);
    const bytes = Buffer.byteLength(LINES.join(''));
    const late = logLine('what came late');
    await task.append({ offset: bytes, body: late }, { offset: 0, body: LINES.join('') });
    expect(await textOf(task)).toBe(LINES.join('') + late);
    await lookNow();
    running[0]?.wake();
    await waitFor(async () => (await keyOf(task)) !== before, { what: 'the log to be archived anew' });
    expect(await textOf(task)).toBe(LINES.join('') + late);
    expect(await rowsOf('log_chunk', task)).toBe(0);
    await pool.query('update log_trash set look_at = now()');
    running[0]?.wake();
    await waitFor(() => !existsSync(join(folder, before)), { what: 'the former object to go' });
  });

  it('of before the store was chosen moves too', async () => {
    await pool.query('update log_store set current = false');
    const task = await start();
    await task.write(...LINES);
    await task.end();
    expect(await rowsOf('log_due', task)).toBe(0);
    await archive();
    await waitFor(isArchived(task), { what: 'the log to be archived' });
    expect(await textOf(task)).toBe(LINES.join(''));
  });
});
