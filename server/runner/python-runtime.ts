import { PackagesError } from './build-env.ts';
import { findInPath } from './child-process.ts';
import { createForkServer, type ForkServer } from './fork-server.ts';
import { createPythonEnvs } from './python-envs.ts';
import type { PythonLaunch } from './python-request.ts';
import { makeTaskDir, type Runtime, type RuntimeDeps } from './runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';
import type { Ending } from './task-report.ts';

/** The fork server of a virtual environment, and how many tasks it runs. */
interface EnvServer {
  server: ForkServer;
  tasks: number;
  ending?: NodeJS.Timeout;
}

/** For which the interpreter of an environment waits for the next task. */
const IDLE_MS = 60_000;

/** Runs Python tasks: in forks of the plain interpreter, or of one per set of packages that bundles ask for. */
export function createPythonRuntime({ config, memory }: RuntimeDeps): Runtime<'python'> & { warm(): void } {
  const envs = createPythonEnvs(config);
  const ofEnvs = new Map<string, EnvServer>();
  let plain: ForkServer | null = null;
  let stopped = false;
  let paused = false;

  const open = (command: string, environment: { [name: string]: string }): ForkServer => {
    const server = createForkServer({ command, environment, config, memory });
    if (paused) server.setPaused(true);
    return server;
  };
  const plainServer = (command: string) => (plain ??= open(command, config.environment));

  const runIn = (folder: string, task: SupervisedTask, launch: PythonLaunch, cwd: string, over: () => void) => {
    const { command, environment } = envs.interpreterOf(folder);
    const used = ofEnvs.get(folder) ?? { server: open(command, environment), tasks: 0 };
    ofEnvs.set(folder, used);
    clearTimeout(used.ending);
    used.tasks += 1;
    used.server.run(task, launch, cwd, () => {
      used.tasks -= 1;
      if (used.tasks === 0) used.ending = setTimeout(() => end(folder, used), IDLE_MS);
      over();
    });
  };
  const end = (folder: string, { server }: EnvServer) => {
    ofEnvs.delete(folder);
    server.stop();
  };

  const start = async (task: SupervisedTask, launch: PythonLaunch) => {
    const left = new AbortController();
    task.control = { signal: () => left.abort() };
    const command = findInPath(config.pythonCommand, config.environment['PATH']);
    if (command === null) return task.end(noPython(config.pythonCommand));
    const dir = await makeTaskDir(config);
    // Null: the bundle asks for no packages
    const env = envs.of(task, command, left.signal);
    const over = () => {
      env?.release();
      dir.remove();
    };
    const folder =
      env &&
      (await env.folder.catch((error: unknown) => {
        over();
        throw error;
      }));
    if (left.signal.aborted || stopped) {
      over();
      return task.end({ how: 'withdrawn' });
    }
    if (folder === null) plainServer(command).run(task, launch, dir.path, over);
    else runIn(folder, task, launch, dir.path, over);
  };

  return {
    start(task, launch) {
      start(task, launch).catch((error: Error) => task.end(notStarted(error)));
    },
    warm() {
      const command = findInPath(config.pythonCommand, config.environment['PATH']);
      if (command !== null && !stopped) plainServer(command).warm();
    },
    setPaused(value) {
      paused = value;
      for (const server of [plain, ...[...ofEnvs.values()].map((used) => used.server)]) server?.setPaused(value);
    },
    stop() {
      stopped = true;
      plain?.stop();
      for (const { server, ending } of ofEnvs.values()) {
        clearTimeout(ending);
        server.stop();
      }
    },
  };
}

function notStarted(error: Error): Ending {
  if (error.name === 'AbortError') return { how: 'withdrawn' };
  const { cause, retryable } = error instanceof PackagesError ? error.ending : START_FAILED;
  return { how: 'not_started', cause, message: error.message, retryable };
}

const START_FAILED = { cause: 'start_failed', retryable: true } as const;

const noPython = (command: string): Ending => ({
  how: 'not_started',
  cause: 'interpreter_missing',
  message: `${command} was not found in the PATH of the worker. Install Python 3.8 or newer there, or set MILLRACE_PYTHON to the interpreter.`,
  retryable: false,
});
