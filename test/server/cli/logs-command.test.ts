/** `millrace logs` of a log that lies in a log store, partly or wholly. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimDueLogs } from '#db/queries/log-archive.ts';
import { setCurrentLogStore } from '#db/queries/log-stores.ts';
import { archiveLog } from '#server/logs/archive-log.ts';
import { createFileStore } from '#server/logs/file-store.ts';
import { createLogReader } from '#server/logs/log-reader.ts';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { runCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createLoggedTasks, logLine } from '../../helpers/logged-tasks.ts';

const database = await createTestDatabase();
const { db } = database;
const folder = mkdtempSync(join(tmpdir(), 'millrace-logs-'));
const store = createFileStore(folder);
const reader = createLogReader({ db, stores: { reading: async () => store } });
const LINES = Array.from({ length: 3_000 }, (_, i) => (i % 1_000 === 500 ? `a needle, the ${i}th` : `line ${i}`));
let app: TestApp;
let runId: string;
let millrace: (...args: string[]) => ReturnType<typeof runCli>;

beforeAll(async () => {
  app = await startTestApp(database, { logs: reader });
  const env = { MILLRACE_URL: app.url(), MILLRACE_TOKEN: await app.token('viewer') };
  millrace = (...args) => runCli(args, env);
  await setCurrentLogStore(db, { name: 'file', archiveFrom: 0 });
  const task = await (await createLoggedTasks(database, app.engine))();
  const raw = LINES.map((line) => logLine(line));
  await task.write(raw.slice(0, 1_700).join(''), raw.slice(1_700, 2_900).join(''));
  // Its end comes after it has moved
  await task.end(Buffer.byteLength(raw.join('')));
  await task.endedAgo(600);
  const claim = randomUUID();
  const [due] = await claimDueLogs(db, { claim, limit: 1, seconds: 60 });
  expect(await archiveLog({ db, reader, store, blockBytes: 4_000 }, due!, claim)).toBeDefined();
  await task.write(raw.slice(2_900).join(''));
  runId = String(task.runId);
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});
const texts = ({ stdout }: { stdout: string }) => stdout.split('\n').slice(0, -1);
const bare = (line: string) => line.replace(/^\S+Z /, '');

it('prints all of it, and its last lines', async () => {
  expect(texts(await millrace('logs', runId, 'write')).map(bare)).toEqual(LINES);
  expect(texts(await millrace('logs', runId, 'write', '--tail', '150')).map(bare)).toEqual(LINES.slice(-150));
  expect(texts(await millrace('logs', runId, 'write', '--tail', '2', '--follow')).map(bare)).toEqual(LINES.slice(-2));
});

it('finds lines with their numbers and those around them', async () => {
  const found = await millrace('logs', runId, 'write', '--search', 'NEEDLE', '--context', '1');
  expect(texts(found).map((line) => line.replace(/(\d+[:-]) \S+Z /, '$1 '))).toEqual(
    [500, 1_500, 2_500].flatMap((i, n) => [
      ...(n > 0 ? ['--'] : []),
      ...[`${i}- line ${i - 1}`, `${i + 1}: a needle, the ${i}th`, `${i + 2}- line ${i + 1}`],
    ]),
  );
  const none = await millrace('logs', runId, 'write', '--search', 'NEEDLE', '--case-sensitive');
  expect(none).toMatchObject({ code: 0, stdout: '', stderr: 'No line of the log holds it.\n' });
  expect(await millrace('logs', runId, 'write', '--search', 'x', '--tail', '3')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--search looks at the whole log'),
  });
});
