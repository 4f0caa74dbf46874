/** One long-lived interpreter that forks a process per Python task. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { packageFile } from '../entry-points.ts';
import { createForkFrameReader, type ForkFrame } from './fork-server-frames.ts';
import { roomOf } from './large-results.ts';
import type { TaskResult } from './messages.ts';
import { markOomKills, type OomMark } from './oom-kills.ts';
import { signalGroup } from './process-group.ts';
import { requestOf, type PythonLaunch } from './python-request.ts';
import type { RuntimeDeps } from './runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';
import type { Ending } from './task-report.ts';

type ForkProcess = ChildProcessByStdio<Writable, Readable, Readable>;

interface Job {
  id: number;
  task: SupervisedTask;
  pid: number | null;
  result: Buffer[];
  resultBytes: number;
  mark: OomMark;
  over(): void;
}

export interface ForkServer {
  /** `over` is called before the task ends. */
  run(task: SupervisedTask, launch: PythonLaunch, cwd: string, over: () => void): void;
  warm(): void;
  setPaused(paused: boolean): void;
  /** Kills what runs. */
  stop(): void;
}

export interface ForkServerDeps extends RuntimeDeps {
  command: string;
  /** What its tasks see. */
  environment: { [name: string]: string };
}

const SIGNAL_NUMBERS = { SIGTERM: 15, SIGKILL: 9 };
/** A result far above any limit is not kept while it comes in. */
const RESULT_ROOM = 32 * 1024 * 1024;
const STDERR_KEPT = 4_000;

/** The interpreter is started when it is needed, and again when it has died. */
export function createForkServer({ command, environment, config, memory }: ForkServerDeps): ForkServer {
  const jobs = new Map<number, Job>();
  let server: ForkProcess | null = null;
  let paused = false;
  let nextId = 1;

  const launchServer = (): ForkProcess => {
    const child = spawn(command, ['-u', '-X', 'utf8', packageFile('sdk/python/fork_server.py')], {
      env: environment,
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
    job.over();
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

  return {
    run(task, launch, cwd, over) {
      const id = nextId++;
      jobs.set(id, { id, task, pid: null, result: [], resultBytes: 0, mark: markOomKills(), over });
      server ??= launchServer();
      const stdin = server.stdin;
      task.control = {
        signal: (name) => stdin.write(`${JSON.stringify({ op: 'signal', id, signal: SIGNAL_NUMBERS[name] })}\n`),
      };
      stdin.write(`${JSON.stringify(requestOf(id, task, launch, cwd, roomOf(config)))}\n`);
    },
    warm: () => void (server ??= launchServer()),
    setPaused(value) {
      paused = value;
      if (value) server?.stdout.pause();
      else server?.stdout.resume();
    },
    stop() {
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
