import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Launch } from '../operators/launch.ts';
import { letGoWhenQuiet } from './let-go.ts';
import type { TaskResult } from './messages.ts';
import { markOomKills, type OomMark } from './oom-kills.ts';
import { preferForOomKill, signalGroup } from './process-group.ts';
import { makeTaskDir, taskVariables, type Runtime, type RuntimeDeps } from './runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';

type ShellLaunch = Extract<Launch, { how: 'shell' }>;

/** Runs shell commands, each in a process group and a folder of its own. */
export function createShellRuntime({ config, memory }: RuntimeDeps): Runtime<'shell'> {
  const running = new Set<ChildProcess>();
  let paused = false;
  const shell = findInPath('bash', config.environment['PATH']) ?? findInPath('sh', config.environment['PATH']);

  const start = async (task: SupervisedTask, launch: ShellLaunch) => {
    let withdrawn = false;
    task.control = { signal: () => (withdrawn = true) };
    const dir = await makeTaskDir(config);
    if (withdrawn || shell === null) {
      dir.remove();
      return task.end(withdrawn ? { how: 'withdrawn' } : noShell());
    }
    const mark = markOomKills();
    const notStarted = (error: Error) => {
      dir.remove();
      task.end(startFailed(error));
    };
    try {
      const child = spawnShell(shell, launch, dir.path, { ...config.environment, ...taskVariables(task) });
      child.on('error', notStarted);
      if (child.pid !== undefined) follow(task, launch, child, child.pid, mark, dir.remove);
    } catch (error) {
      notStarted(error as Error);
    }
  };

  const follow = (
    task: SupervisedTask,
    launch: ShellLaunch,
    child: ChildProcess,
    pid: number,
    mark: OomMark,
    removeDir: () => void,
  ) => {
    preferForOomKill(pid);
    running.add(child);
    let ended = false;
    task.control = { signal: (name) => !ended && signalGroup(pid, name) };
    task.began(pid);
    memory.add(pid, (use) => task.sampleMemory(use.rss));
    for (const [letter, stream] of [['o', child.stdout] as const, ['e', child.stderr] as const]) {
      stream?.on('data', (data: Buffer) => task.log.write(letter, data));
      if (paused) stream?.pause();
    }
    child.on('exit', () => {
      ended = true;
      signalGroup(pid, 'SIGKILL');
      memory.remove(pid);
      for (const stream of [child.stdout, child.stderr]) letGoWhenQuiet(stream);
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      removeDir();
      const killed = signal === 'SIGKILL' || code === 137;
      task.end({
        how: 'exited',
        code,
        signal,
        result: resultOf(code, task.log.lastOutput(), launch.skipOnExitCode),
        peakMemory: null,
        outOfMemory: killed && mark.killedSince(),
        lastLine: task.log.lastError(),
      });
    });
  };

  return {
    start(task, launch) {
      start(task, launch).catch((error: Error) => task.end(startFailed(error)));
    },
    setPaused(value) {
      paused = value;
      for (const child of running)
        for (const stream of [child.stdout, child.stderr])
          if (value) stream?.pause();
          else stream?.resume();
    },
    stop() {
      for (const child of running)
        if (child.pid !== undefined && child.exitCode === null) signalGroup(child.pid, 'SIGKILL');
    },
  };
}

const spawnShell = (shell: string, launch: ShellLaunch, cwd: string, env: { [name: string]: string }) =>
  spawn(shell, ['-c', launch.command], {
    cwd,
    env: { ...env, ...launch.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

function resultOf(code: number | null, lastOutput: string | null, skipOnExitCode: number | null): TaskResult | null {
  if (code === 0)
    return { outcome: 'success', ...(lastOutput !== null && { xcoms: { return_value: lastOutput.trim() } }) };
  if (code !== null && code === skipOnExitCode)
    return { outcome: 'skipped', message: `Skipped by the task: it ended with exit code ${code}.` };
  return null;
}

const noShell = () => ({
  how: 'not_started' as const,
  cause: 'interpreter_missing' as const,
  message: 'Neither bash nor sh was found in the PATH of the worker. Install one of them where the worker runs.',
  retryable: false,
});

/** Of the operating system: too long a command is the author's, everything else may be better the next time. */
function startFailed(error: Error & { code?: string }) {
  const own = error.code === 'E2BIG' || error.code === 'ERR_INVALID_ARG_VALUE';
  const hint = error.code === 'E2BIG' ? ' The command or a variable is too long: pass large data in a file.' : '';
  return {
    how: 'not_started' as const,
    cause: 'start_failed' as const,
    message: `The task could not be started: ${error.message}.${hint}`,
    retryable: !own,
  };
}

export function findInPath(name: string, path = ''): string | null {
  if (name.includes('/')) return name;
  for (const folder of path.split(delimiter)) {
    const file = join(folder || '.', name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return null;
}
