import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { setResultReady } from '#db/queries/pod-launches.ts';
import { collectResult } from '#server/pod/collect-result.ts';
import { readCollected, writeCollected, type Collected } from '#server/pod/collected-result.ts';
import { EXIT } from '#server/pod/exit-codes.ts';
import { createPodLog } from '#server/pod/pod-log.ts';
import { createPodService } from '#server/pod/pod-service.ts';
import { startTestApp } from '../../helpers/app.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { startCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { reportOf } from '../../helpers/engine.ts';
import {
  clusterDag,
  createClusterStandIn,
  launchFirstTask,
  POD_TOKEN,
  TEST_CLUSTER,
} from '../../helpers/launched-task.ts';

const database = await createTestDatabase();
const app = await startTestApp(database, { reviewers: createClusterStandIn() });
const home = mkdtempSync(join(tmpdir(), 'millrace-collect-'));
const tokenFile = join(home, 'token');
writeFileSync(tokenFile, POD_TOKEN);
afterEach(() => checkRuns(database));
afterAll(async () => {
  await app.stop();
  rmSync(home, { recursive: true, force: true });
});

const uuidOf = (dispatchId: string) => dispatchId.split('.').at(-1)!;
async function launch() {
  const spec = clusterDag({ dagId: 'one', tasks: [{ taskId: 'a', kind: 'bash', command: 'true', retries: 0 }] });
  const { runId, dispatch } = await launchFirstTask(app, database, spec);
  return { runId, dispatchId: dispatch.dispatchId };
}
/** Collects `content` for a Pod whose task has ended. */
async function collect(content: string | null): Promise<{ dispatchId: string; collected: Collected | null }> {
  const { dispatchId } = await launch();
  await setResultReady(database.db, uuidOf(dispatchId));
  const file = join(home, 'result.json');
  rmSync(file, { force: true });
  if (content !== null) writeFileSync(file, content);
  const url = app.url();
  const service = createPodService({ url, dispatchId, cluster: TEST_CLUSTER, tokenFile });
  const log = createPodLog('collect-result', () => undefined);
  const { signal } = new AbortController();
  return { dispatchId, collected: await collectResult({ service, url, dispatchId, file, dir: home, signal, log }) };
}

describe('collecting the result of a Pod', () => {
  it.each([
    ['JSON', '{"n":[1,2]}', { n: [1, 2] }],
    ['other text', 'hello\n', 'hello'],
    ['nothing', '', ''],
  ])('brings %s', async (_what, content, value) => {
    const { collected } = await collect(content);
    expect(collected).toEqual({ value });
    expect(readCollected(writeCollected(collected!))).toEqual({ xcoms: { return_value: value } });
  });

  it('uploads what is large, and names it in few bytes', async () => {
    const value = '€'.repeat(1_000_000);
    const { dispatchId, collected } = await collect(JSON.stringify(value));
    const message = writeCollected(collected!);
    expect(Buffer.byteLength(message)).toBeLessThan(4_096);
    const results = readCollected(message);
    if ('problem' in results) throw new Error(results.problem);
    const report = reportOf({ dispatchId }, 'success', results);
    expect((await app.engine.report({ workerId: null, reports: [report] })).answers).toEqual(['ACCEPTED']);
    const { rows } = await database.pool.query('select bytes from xcom where run_id = $1', [dispatchId.split('.')[0]]);
    expect(rows).toEqual([{ bytes: 3_000_002 }]);
  });

  it('says why there is none', async () => {
    expect((await collect(null)).collected).toEqual({ problem: expect.stringContaining('without writing its result') });
    expect((await collect('"\\u0000"')).collected).toEqual({ problem: expect.stringContaining('NUL') });
    expect(readCollected('node: not found')).toEqual({ problem: 'The result was not brought: node: not found' });
    expect(readCollected(null)).toEqual({ problem: 'The result was not brought.' });
  });
});

describe('millrace collect-result', () => {
  const start = (dispatchId: string, file: string) =>
    startCli(['collect-result'], {
      ...{ MILLRACE_URL: app.url(), MILLRACE_DISPATCH_ID: dispatchId, MILLRACE_CLUSTER: TEST_CLUSTER },
      ...{ MILLRACE_POD_TOKEN_FILE: tokenFile, MILLRACE_HOME: home, MILLRACE_RESULT_FILE: file },
    });
  it('waits for the end of the task, and ends by itself', async () => {
    const { dispatchId } = await launch();
    const file = join(home, 'waits.json');
    writeFileSync(file, '1');
    const collector = start(dispatchId, file);
    await collector.sees(/waits for the end of the task/);
    await setResultReady(database.db, uuidOf(dispatchId));
    expect((await collector.ended).code).toBe(EXIT.ok);
  });

  it('leaves when nobody waits for the result', async () => {
    const { runId, dispatchId } = await launch();
    const collector = start(dispatchId, join(home, 'never.json'));
    await collector.sees(/waits for the end of the task/);
    await app.engine.cancelRun(runId, 'test');
    expect((await collector.ended).code).toBe(EXIT.fenced);
  });

  it('leaves when it is told to', async () => {
    const { runId, dispatchId } = await launch();
    const collector = start(dispatchId, join(home, 'never.json'));
    await collector.sees(/waits for the end of the task/);
    collector.child.kill('SIGTERM');
    expect((await collector.ended).code).toBe(EXIT.interrupted);
    await app.engine.cancelRun(runId, 'test');
  });
});
