import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { formatDispatchId, parseDispatchId } from '#db/engine/dispatch-id.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { createListener } from '#db/listen.ts';
import { createSupervisorClient } from '#server/runner/supervisor-client.ts';
import { createArtifactCache } from '#server/worker/artifact-cache.ts';
import { createDirectWorkerApi } from '#server/worker/direct-worker-api.ts';
import { UploadRefused } from '#server/worker/worker-api.ts';
import { startWorker } from '#server/worker/worker.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, runStateOf, statesOf } from '../../helpers/engine.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
const listener = createListener(database.url);
await listener.start();
const home = mkdtempSync(join(tmpdir(), 'millrace-direct-'));
const api = createDirectWorkerApi({ db: database.db, engine, listener, appendLogs: () => Promise.resolve() });
afterAll(async () => {
  await engine.stop();
  await listener.stop();
  rmSync(home, { recursive: true, force: true });
});

let dags = 0;
async function start(...tasks: object[]): Promise<number> {
  const read = validateDagSpec({ dagId: `dag_${++dags}`, tasks });
  if (!read.ok) throw new Error(JSON.stringify(read.issues));
  const { dagId } = await engine.deploy(read.spec);
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return run!.runId;
}

/** A task that runs, on a queue that no worker here serves. */
async function runningTask(): Promise<string> {
  await start({ taskId: 'a', kind: 'bash', command: 'true', queue: 'other' });
  const [dispatch] = await engine.claim({ workerId: await engine.worker(), queues: ['other'], limit: 1 });
  return dispatch!.dispatchId;
}

function resultFile(text: string) {
  const path = join(home, `${randomUUID()}.json`);
  writeFileSync(path, text);
  return { path, bytes: Buffer.byteLength(text), hash: createHash('sha256').update(text).digest('hex') };
}

async function read(dispatchId: string, hash: string): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of await api.readArtifact(dispatchId, hash)) parts.push(part);
  return Buffer.concat(parts).toString();
}

const pieces = async (dispatchId: string) => {
  const { rows } = await database.pool.query<{ n: number }>(
    'select count(*)::int as n from artifact where run_id = $1',
    [parseDispatchId(dispatchId)?.runId],
  );
  return rows[0]?.n;
};

describe('the worker inside the service', () => {
  it('stores a large result and gives it back to its run alone', async () => {
    const [mine, other] = [await runningTask(), await runningTask()];
    const file = resultFile(JSON.stringify('é'.repeat(400_000)));
    await api.putArtifact(mine, file);
    await api.putArtifact(mine, file);
    expect(await read(mine, file.hash)).toBe(JSON.stringify('é'.repeat(400_000)));
    expect(await pieces(mine)).toBe(4);
    await expect(read(other, file.hash)).rejects.toThrow('There is no such result.');
    await expect(read('nonsense', file.hash)).rejects.toThrow('There is no such result.');
  });

  it('is refused for good when the content is not what its hash says, and nothing of it stays', async () => {
    const mine = await runningTask();
    const file = { ...resultFile('"x"'), hash: 'a'.repeat(64) };
    await expect(api.putArtifact(mine, file)).rejects.toThrow(UploadRefused);
    await expect(api.putArtifact(mine, file)).rejects.toThrow('The content is not what its hash says.');
    expect(await pieces(mine)).toBe(0);
  });

  it('is refused for good when the dispatch is not the current one of a task that runs', async () => {
    const mine = parseDispatchId(await runningTask())!;
    const stale = formatDispatchId({ ...mine, uuid: randomUUID() });
    await expect(api.putArtifact(stale, resultFile('"x"'))).rejects.toThrow(
      new UploadRefused('This dispatch is not the current one of a running task.'),
    );
  });

  it('only fails for now when the file cannot be read, or the database is away', async () => {
    const mine = await runningTask();
    const gone = { ...resultFile('"x"'), path: join(home, 'nowhere.json') };
    const error: unknown = await api.putArtifact(mine, gone).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ENOENT' });
    expect(error).not.toBeInstanceOf(UploadRefused);
    expect(await pieces(mine)).toBe(0);
  });

  it('runs tasks whose large results others read, in Python, in Bash and in templates', async () => {
    const results = createArtifactCache({ dir: join(home, 'results'), limit: 2 ** 30, fetch: api.readArtifact });
    const worker = await startWorker({
      api,
      info: { name: 'inside', queues: ['default'], slots: 4, version: 'test', hostname: null, pid: null },
      supervise: (onEvent) =>
        createSupervisorClient({
          home,
          onEvent,
          fetchBundleDir: () => Promise.reject(new Error('no bundles here')),
          fetchArtifact: results.fileOf,
          environment: { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, HOME: home },
        }),
      onError: () => undefined,
    });
    const inputs = { ROWS: 'make' };
    const runId = await start(
      { taskId: 'make', kind: 'python', source: 'def main(): return "x" * 300000' },
      { taskId: 'python', kind: 'python', source: 'def main(ROWS): assert ROWS == "x" * 300000', inputs },
      { taskId: 'bash', kind: 'bash', command: 'test "$(wc -c < "$ROWS_FILE")" = 300002', inputs },
      { taskId: 'template', kind: 'bash', command: 'test {{ inputs.ROWS | length }} = 300000', inputs },
    );
    await waitFor(async () => (await runStateOf(database, runId)) !== 'running', { what: 'the end of the run' });
    expect(await statesOf(database, runId)).toEqual({
      make: 'success',
      python: 'success',
      bash: 'success',
      template: 'success',
    });
    await checkRuns(database, { runIds: [runId] });
    await worker.stop(0);
  });
});
