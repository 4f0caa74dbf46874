import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { deployDag } from '#db/queries/dag.ts';
import { packBundle } from '#server/bundles/pack-bundle.ts';
import { EXIT } from '#server/pod/exit-codes.ts';
import { startTestApp } from '../../helpers/app.ts';
import { openBreakableLine } from '../../helpers/breakable-line.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { startCli, type RunningCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { statesOf } from '../../helpers/engine.ts';
import {
  clusterDag,
  createClusterStandIn,
  launchFirstTask,
  launchNext,
  logLinesOf,
  POD_TOKEN,
  TEST_CLUSTER,
  tokenAnswer,
  triesOf,
} from '../../helpers/launched-task.ts';
import { isAlive } from '../../helpers/processes.ts';
import { tsBundle } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const cluster = createClusterStandIn();
const app = await startTestApp(database, { reviewers: cluster });
const line = await openBreakableLine(app.url());
const home = mkdtempSync(join(tmpdir(), 'millrace-pod-'));
const tokenFile = join(home, 'token');
writeFileSync(tokenFile, `${POD_TOKEN}\n`);
afterEach(async () => {
  await line.mend();
  cluster.answer = tokenAnswer();
  await checkRuns(database);
});
afterAll(async () => {
  await line.stop();
  await app.stop();
  rmSync(home, { recursive: true, force: true });
});

const environment = (dispatchId: string) => ({
  PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
  MILLRACE_URL: line.url,
  MILLRACE_DISPATCH_ID: dispatchId,
  MILLRACE_CLUSTER: TEST_CLUSTER,
  MILLRACE_POD_TOKEN_FILE: tokenFile,
  MILLRACE_HOME: join(home, 'millrace'),
  MILLRACE_SHUTDOWN_SECONDS: '10',
});
const startPod = (dispatchId: string, more: { [name: string]: string } = {}): RunningCli =>
  startCli(['run-task'], { ...environment(dispatchId), ...more });
const bash = (dagId: string, command: string, more: object = {}) =>
  launchFirstTask(
    app,
    database,
    clusterDag({ dagId, tasks: [{ taskId: 'a', kind: 'bash', command, retries: 0, ...more }] }),
  );
const pidIn = (file: string) => Number(readFileSync(file, 'utf8'));
const begun = (dispatchId: string) =>
  waitFor(async () => (await logLinesOf(database, dispatchId)).some((text) => text.includes('begun')), {
    what: 'the command to begin',
    timeoutMs: 20_000,
  });

describe('millrace run-task', () => {
  it('runs its task, brings the log and the end, and ends with 0', async () => {
    const { runId, dispatch } = await bash('fine', 'echo hello; echo oops >&2; echo "$MINE, $MILLRACE_TASK_ID, $HOME"');
    const { code, stderr } = await startPod(dispatch.dispatchId, { MINE: 'of the Pod', HOME: '/' }).ended;
    expect(stderr).not.toContain(POD_TOKEN);
    expect(code).toBe(EXIT.ok);
    expect(await statesOf(database, runId)).toEqual({ a: 'success' });
    const lines = await logLinesOf(database, dispatch.dispatchId);
    expect(lines.sort()).toEqual(['e oops', 'o hello', `o of the Pod, a, ${join(home, 'millrace/home')}`]);
    const [only] = await triesOf(database, runId);
    expect(only).toMatchObject({ outcome: 'success', cause: 'ok' });
    expect(only!.log_bytes).toBeGreaterThan(100);
  });

  it('ends with 1 when the task failed, and with 0 when it was skipped', async () => {
    const failed = await bash('fails', 'echo no >&2; exit 3');
    expect((await startPod(failed.dispatch.dispatchId).ended).code).toBe(EXIT.failed);
    expect(await triesOf(database, failed.runId)).toMatchObject([{ outcome: 'failed', cause: 'exit_code' }]);
    const skipped = await bash('skips', 'exit 99');
    expect((await startPod(skipped.dispatch.dispatchId).ended).code).toBe(EXIT.ok);
    expect(await statesOf(database, skipped.runId)).toEqual({ a: 'skipped' });
  });

  it('fetches its bundle and large results, and brings large ones', async () => {
    const files = tsBundle({
      big: `() => 'x'.repeat(2_000_000)`,
      small: `({ text }) => text.length`,
    });
    const bundle = await packBundle(
      Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text), executable: false })),
    );
    const input = { text: { task: 'big', key: 'return_value' } };
    const spec = clusterDag({
      dagId: 'dag',
      tasks: [
        { taskId: 'big', kind: 'typescript' },
        { taskId: 'small', kind: 'typescript', upstream: ['big'], inputs: input },
      ],
    });
    const { dagId } = await deployDag(database.db, { spec, bundle, actor: 'test' });
    const [run] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
    for (const taskId of ['big', 'small']) {
      const dispatch = await launchNext(app, database);
      expect(dispatch.taskId).toBe(taskId);
      const ended = await startPod(dispatch.dispatchId).ended;
      expect(ended.code, ended.stderr).toBe(EXIT.ok);
    }
    const { rows } = await database.pool.query(
      'select value, bytes from xcom where run_id = $1 order by task_index, key',
      [run!.runId],
    );
    expect(rows).toMatchObject([{ bytes: 2_000_002 }, { value: 2_000_000 }]);
  });

  it('keeps log and end while the service is away', async () => {
    const go = join(home, 'go');
    const { runId, dispatch } = await bash('away', `echo begun; while [ ! -e ${go} ]; do sleep 0.05; done; seq 1000`);
    const pod = startPod(dispatch.dispatchId);
    await begun(dispatch.dispatchId);
    await line.cut();
    writeFileSync(go, '');
    await pod.sees(/could not be sent yet/);
    expect(await statesOf(database, runId)).not.toEqual({ a: 'success' });
    await line.mend();
    expect((await pod.ended).code).toBe(EXIT.ok);
    const lines = await logLinesOf(database, dispatch.dispatchId);
    expect(lines).toEqual(['o begun', ...Array.from({ length: 1000 }, (_, i) => `o ${i + 1}`)]);
  });

  it('waits for a service that is not there yet, and for a cluster that cannot be asked', async () => {
    const { dispatch } = await bash('early', 'echo there');
    await line.cut();
    const pod = startPod(dispatch.dispatchId);
    await pod.sees(/waiting for the service/);
    cluster.answer = new Error('no route');
    await line.mend();
    await pod.sees(/cannot be checked just now/);
    cluster.answer = tokenAnswer();
    expect((await pod.ended).code).toBe(EXIT.ok);
  });

  it('kills what runs when its dispatch is no longer the current one', async () => {
    const { runId, dispatch } = await bash('cancelled', 'echo $$ > "$PIDFILE"; echo begun; sleep 600');
    const pidFile = join(home, 'cancelled.pid');
    const pod = startPod(dispatch.dispatchId, { PIDFILE: pidFile });
    await begun(dispatch.dispatchId);
    await app.engine.cancelRun(runId, 'test');
    const { code } = await pod.ended;
    expect(code).toBe(EXIT.fenced);
    expect(isAlive(pidIn(pidFile))).toBe(false);
    expect(await statesOf(database, runId)).toEqual({ a: 'cancelled' });
    expect(await logLinesOf(database, dispatch.dispatchId)).toContainEqual(expect.stringContaining('is being stopped'));
  }, 30_000);

  it('is killed: nothing that it ran outlives it', async () => {
    const pidFile = join(home, 'killed.pid');
    const { runId, dispatch } = await bash('killed', 'echo $$ > "$PIDFILE"; echo begun; sleep 600');
    const pod = startPod(dispatch.dispatchId, { PIDFILE: pidFile });
    await begun(dispatch.dispatchId);
    await pod.kill('SIGKILL');
    await waitFor(() => !isAlive(pidIn(pidFile)), { what: 'the end of the command' });
    await app.engine.cancelRun(runId, 'test');
  });

  it('is told to stop: interrupts what runs, never calls it a success, and tells so', async () => {
    const { runId, dispatch } = await bash('stopped', 'trap "echo leaving; exit 0" TERM; echo begun; sleep 600 & wait');
    const pod = startPod(dispatch.dispatchId);
    await begun(dispatch.dispatchId);
    pod.child.kill('SIGTERM');
    expect((await pod.ended).code).toBe(EXIT.interrupted);
    expect(await triesOf(database, runId)).toMatchObject([{ outcome: 'failed', cause: 'interrupted' }]);
    expect(await logLinesOf(database, dispatch.dispatchId)).toContain('o leaving');
  });

  it('is told to stop while the service is away: leaves within its time, nothing of the task stays', async () => {
    const pidFile = join(home, 'deaf.pid');
    const { runId, dispatch } = await bash(
      'deaf',
      'trap "" TERM; echo $$ > "$PIDFILE"; echo begun; while :; do sleep 1; done',
    );
    const pod = startPod(dispatch.dispatchId, { PIDFILE: pidFile, MILLRACE_SHUTDOWN_SECONDS: '2' });
    await begun(dispatch.dispatchId);
    await line.cut();
    pod.child.kill('SIGTERM');
    expect((await pod.ended).code).toBe(EXIT.interrupted);
    expect(isAlive(pidIn(pidFile))).toBe(false);
    expect(await statesOf(database, runId)).toEqual({ a: 'queued' });
    await app.engine.cancelRun(runId, 'test');
  });

  it('is refused: runs nothing', async () => {
    const { runId, dispatch } = await bash('refused', 'echo never');
    cluster.answer = tokenAnswer({ podName: 'neighbour' });
    const { code, stderr } = await startPod(dispatch.dispatchId).ended;
    expect(code).toBe(EXIT.refused);
    expect(stderr).not.toContain(POD_TOKEN);
    expect(await logLinesOf(database, dispatch.dispatchId)).toEqual([]);
    await app.engine.cancelRun(runId, 'test');
  });

  it('says what is wrong with its environment', async () => {
    const { code, stderr } = await startCli(['run-task'], { MILLRACE_POD_TOKEN_FILE: '/nowhere/token' }).ended;
    expect(code).toBe(EXIT.configuration);
    for (const name of ['MILLRACE_URL', 'MILLRACE_DISPATCH_ID', 'MILLRACE_CLUSTER']) expect(stderr).toContain(name);
    const untold = await startPod('1.0.-1.x', { MILLRACE_POD_TOKEN_FILE: '/nowhere/token' }).ended;
    expect(untold.code).toBe(EXIT.configuration);
    expect(untold.stderr).toContain('/nowhere/token cannot be read');
  });
});
