/** What a process said before it died is heard, although it was sent something since: that breaks the pipe to it, not the one from it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { FromSupervisor } from '#server/runner/messages.ts';
import { createNodeChild, type NodeProgram } from '#server/runner/node-child-process.ts';
import { createSupervisedTask, type SupervisedTask } from '#server/runner/supervised-task.ts';
import { startSupervisorProcess } from '#server/runner/supervisor-process.ts';
import { makeDispatch, tsBundle } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const program: NodeProgram = {
  entry: 'node-child',
  bundleOf: (task) => task.bundleDir,
  workOf: ({ dispatch }) => ({ dispatch }),
};

function prepare() {
  const home = mkdtempSync(join(tmpdir(), 'millrace-words-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const settings = {
    pythonCommand: 'python3',
    packages: { pipArgs: [], environment: {}, limit: 0, dir: join(home, 'venvs') },
    maxTaskMemory: null,
    outputLimit: 100_000_000,
    resultLimit: 1_000_000,
    graceMs: 500,
    maxNodeChildren: 2,
    childTasks: 100,
    childMemory: 2 ** 29,
    environment: { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, HOME: home },
  };
  return { home, settings };
}

/** Lets it go on to its end, without reading anything meanwhile, as on a busy machine; then `send`, before the next reading. */
async function sendAfterItsEnd(home: string, pid: number, send: () => void): Promise<void> {
  await nextTurn();
  let ended = false;
  setImmediate(() => {
    writeFileSync(join(home, 'go'), '');
    ended = blockUntilEnded(pid);
  });
  // Goes out in the same turn, after that
  send();
  await nextTurn();
  expect(ended, `process ${pid} ended`).toBe(true);
}

/** Ended it stays a zombie, until this process takes notice; its pipes are closed when its last thread is gone. */
function blockUntilEnded(pid: number): boolean {
  const deadline = performance.now() + 15_000;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (performance.now() < deadline) {
    const isZombie = / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    if (isZombie && readdirSync(`/proc/${pid}/task`).length === 1) return true;
    Atomics.wait(pause, 0, 0, 5);
  }
  return false;
}

describe.runIf(existsSync('/proc/self/stat'))('last words', () => {
  it('of a node child tell which of its tasks ended, which one it was killed by, and which had not begun', async () => {
    const { home, settings } = prepare();
    const fineCode = `() => { while (!existsSync(${JSON.stringify(join(home, 'go'))})); return 1; }`;
    const bundle = tsBundle({ fine: fineCode, dies: '() => process.exit(3)' }, 'import { existsSync } from "node:fs";');
    for (const [path, text] of Object.entries(bundle)) writeFileSync(join(home, path), text);
    const config = { ...settings, supervisorId: 'none', workDir: home };
    const reports: object[] = [];
    const send = (message: FromSupervisor) => void (message.type === 'finished' && reports.push(message.report));
    const owner = { config, send, sweep: () => undefined, ended: () => undefined };
    const taskOf = (taskId: string) => createSupervisedTask(makeDispatch({ kind: 'typescript', taskId }), home, owner);
    const [fine, dies, late] = [taskOf('fine'), taskOf('dies'), taskOf('fine')];
    let isReady = false;
    let left: SupervisedTask[] | null = null;
    const child = createNodeChild(home, null, config, program, {
      ready: () => (isReady = true),
      loadFailed: (message) => expect.fail(message),
      ended: () => undefined,
      returned: () => undefined,
      gone: (notBegun) => (left = notBegun),
    });
    await waitFor(() => isReady, { what: 'the child to be ready' });
    child.push(fine);
    child.push(dies);
    await sendAfterItsEnd(home, child.pid ?? 0, () => child.push(late));
    await waitFor(() => left, { what: 'the end of the child' });
    expect(reports).toMatchObject([
      { dispatchId: fine.dispatch.dispatchId, outcome: 'success' },
      { dispatchId: dies.dispatch.dispatchId, outcome: 'failed', exitCode: 3 },
    ]);
    expect(left).toEqual([late]);
  });

  it('of a supervisor tell which tasks had begun', async () => {
    const { home, settings } = prepare();
    const said: FromSupervisor[] = [];
    let isGone = false;
    const supervisor = startSupervisorProcess({
      home,
      settings,
      onMessages: (messages) => said.push(...messages),
      onGone: () => (isGone = true),
    });
    // So much is only taken by a supervisor that has said before that the task began
    const command = "until [ -e $HOME/go ]; do sleep 0.01; done; head -c 1000000 /dev/zero | tr '\\0' x; kill -9 $PPID";
    const dispatch = makeDispatch({ kind: 'bash', command });
    const { dispatchId } = dispatch;
    supervisor.send({ op: 'start', dispatch, bundleDir: null });
    await sendAfterItsEnd(home, supervisor.pid ?? 0, () =>
      supervisor.send({ op: 'stop', dispatchId, reason: 'cancelled' }),
    );
    await waitFor(() => isGone, { what: 'the end of the supervisor' });
    expect(said).toContainEqual({ type: 'started', dispatchId, pid: expect.any(Number) });
  });
});
