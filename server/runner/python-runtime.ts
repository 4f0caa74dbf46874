import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { packageFile } from '../entry-points.ts';
import type { Launch } from '../operators/launch.ts';
import { findInPath } from './child-process.ts';
import { createForkFrameReader, type ForkFrame } from './fork-server-frames.ts';
import type { TaskResult } from './messages.ts';
import { markOomKills, type OomMark } from './oom-kills.ts';
import { signalGroup } from './process-group.ts';
import { roomOf, type ResultRoom } from './large-results.ts';
import { makeTaskDir, taskVariables, type Runtime, type RuntimeDeps } from './runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';
import type { Ending } from './task-report.ts';

type PythonLaunch = Extract<Launch, { how: 'python' }>;
type ForkServer = ChildProcessByStdio<Writable, Readable, Readable>;

interface Job {
  id: number;
  task: SupervisedTask;
  pid: number | null;
  result: Buffer[];
  resultBytes: number;
  mark: OomMark;
  removeDir(): void;
}

const SIGNAL_NUMBERS = { SIGTERM: 15, SIGKILL: 9 };
/** A result far above any limit is not kept while it comes in. */
const RESULT_ROOM = 32 * 1024 * 1024;
const STDERR_KEPT = 4_000;

/** Runs Python tasks in forks of one long-lived interpreter. */
export function createPythonRuntime({ config, memory }: RuntimeDeps): Runtime<'python'> & { warm(): void } {
  const jobs = new Map<number, Job>();
  let server: ForkServer | null = null;
  let stopped = false;
  let paused = false;
  let nextId = 1;

  const launchServer = (command: string): ForkServer => {
    const child = spawn(command, ['-u', '-X', 'utf8', packageFile('sdk/python/fork_server.py')], {
      env: config.environment,
      cwd: config.workDir,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let ready = false;
    let stderr = '';
    child.stdout.on(
      'data',
      createForkFrameReader((frame) => {
        ready = true;
        onFrame(frame);
      }),
    );
    child.stderr.on('data', (data: Buffer) => (stderr = (stderr + data.toString('utf8')).slice(-STDERR_KEPT)));
    child.stdin.on('error', () => undefined);
    const gone = (why: string) => {
      if (server !== child) return;
      server = null;
      const lines = stderr.trim().split('\n').slice(-3).join(' / ');
      for (const job of [...jobs.values()]) abandon(job, ready, `${why}${lines && `: ${lines}`}`);
    };
    child.on('error', (error) => gone(`${command} could not be started (${error.message})`));
    child.on('close', (code, signal) =>
      gone(`The Python fork server ended unexpectedly (${signal ?? `exit code ${code}`})`),
    );
    if (paused) child.stdout.pause();
    return child;
  };

  const abandon = (job: Job, serverWasReady: boolean, message: string) => {
    if (job.pid !== null) signalGroup(job.pid, 'SIGKILL');
    if (job.pid === null)
      finish(job, { how: 'not_started', cause: 'start_failed', message, retryable: serverWasReady });
    else finish(job, { how: 'lost', message });
  };

  const finish = (job: Job, ending: Ending) => {
    jobs.delete(job.id);
    if (job.pid !== null) memory.remove(job.pid);
    job.removeDir();
    job.task.end(ending);
  };

  const onFrame = ({ kind, id, body }: ForkFrame) => {
    const job = jobs.get(id);
    if (!job) return;
    if (kind === 'S') began(job, Number(body.toString()));
    else if (kind === 'O') job.task.log.write('o', body);
    else if (kind === 'E') job.task.log.write('e', body);
    else if (kind === 'R') {
      job.resultBytes += body.length;
      if (job.resultBytes <= RESULT_ROOM) job.result.push(body);
    } else if (kind === 'X') finish(job, exited(job, JSON.parse(body.toString('utf8')) as Exit, resultOf(job)));
  };

  const began = (job: Job, pid: number) => {
    job.pid = pid;
    job.task.began(pid);
    memory.add(pid, (use) => job.task.sampleMemory(use.rss));
  };

  const start = async (task: SupervisedTask, launch: PythonLaunch) => {
    let withdrawn = false;
    task.control = { signal: () => (withdrawn = true) };
    const command = findInPath(config.pythonCommand, config.environment['PATH']);
    if (command === null) return task.end(noPython(config.pythonCommand));
    const dir = await makeTaskDir(config);
    if (withdrawn || stopped) {
      dir.remove();
      return task.end({ how: 'withdrawn' });
    }
    const id = nextId++;
    jobs.set(id, {
      id,
      task,
      pid: null,
      result: [],
      resultBytes: 0,
      mark: markOomKills(),
      removeDir: dir.remove,
    });
    server ??= launchServer(command);
    const stdin = server.stdin;
    task.control = {
      signal: (name) => stdin.write(`${JSON.stringify({ op: 'signal', id, signal: SIGNAL_NUMBERS[name] })}\n`),
    };
    stdin.write(`${JSON.stringify(requestOf(id, task, launch, dir.path, roomOf(config)))}\n`);
  };

  return {
    start(task, launch) {
      start(task, launch).catch((error: Error) =>
        task.end({ how: 'not_started', cause: 'start_failed', message: error.message, retryable: true }),
      );
    },
    warm() {
      const command = findInPath(config.pythonCommand, config.environment['PATH']);
      if (command !== null && !stopped) server ??= launchServer(command);
    },
    setPaused(value) {
      paused = value;
      if (value) server?.stdout.pause();
      else server?.stdout.resume();
    },
    stop() {
      stopped = true;
      for (const { pid } of jobs.values()) if (pid !== null) signalGroup(pid, 'SIGKILL');
      server?.stdin.end();
    },
  };
}

interface Exit {
  code: number | null;
  signal: string | null;
  peak: number | null;
}

function exited(job: Job, exit: Exit, result: TaskResult | null): Ending {
  return {
    how: 'exited',
    code: exit.code,
    signal: exit.signal,
    result,
    peakMemory: exit.peak,
    outOfMemory: exit.signal === 'SIGKILL' && job.mark.killedSince(),
    lastLine: job.task.log.lastError(),
  };
}

function resultOf(job: Job): TaskResult | null {
  if (job.resultBytes === 0) return null;
  if (job.resultBytes > RESULT_ROOM)
    return {
      outcome: 'failed',
      cause: 'result_invalid',
      message: `The results have ${Math.round(job.resultBytes / 1024 / 1024)} MiB. Write large data to a file or table and return where it is.`,
      retryable: false,
    };
  try {
    return JSON.parse(Buffer.concat(job.result).toString('utf8')) as TaskResult;
  } catch {
    // Killed while it wrote.
    return null;
  }
}

function requestOf(id: number, task: SupervisedTask, launch: PythonLaunch, cwd: string, room: ResultRoom) {
  const { dispatch, bundleDir, memoryLimit } = task;
  const { dagId, taskId, mapIndex, mapItem, tryNumber, maxTries, run, xcoms, variables, connections, unreadable } =
    dispatch;
  const { callable, source, kwargs, largeInputs } = launch;
  const about = {
    kind: dispatch.task.kind,
    dagId,
    taskId,
    mapIndex,
    mapItem,
    outlets: dispatch.task.outlets,
    tryNumber,
    maxTries,
    run,
    xcoms,
    variables,
    connections,
    unreadable,
  };
  const poke = pokeOf(dispatch);
  const env = taskVariables(task);
  const code = { callable, source, kwargs, largeInputs };
  return { op: 'run', id, ...about, ...code, poke, room, env, cwd, bundleDir, memoryLimit };
}

/** How often and how long a sensor's function is asked; null: it is no sensor. */
function pokeOf({ task, waiting }: SupervisedTask['dispatch']) {
  if (task.kind !== 'sensor') return null;
  const { mode, pokeInterval: interval, pokeBackoff: backoff, maxWait, timeout, softFail, pokeError: error } = task;
  const timeLeft = timeout - (waiting?.elapsed ?? 0);
  return { mode, interval, backoff, maxWait, timeout, softFail, error, timeLeft, pokes: waiting?.pokes ?? 0 };
}

const noPython = (command: string): Ending => ({
  how: 'not_started',
  cause: 'interpreter_missing',
  message: `${command} was not found in the PATH of the worker. Install Python 3.8 or newer there, or set MILLRACE_PYTHON to the interpreter.`,
  retryable: false,
});
