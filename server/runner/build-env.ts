/** Makes a virtual environment and installs what a requirements.txt asks for. */
import { spawn } from 'node:child_process';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TaskCause } from '#sdk/states.ts';
import { REQUIREMENTS } from '../bundles/python-requirements.ts';
import { letGoWhenQuiet } from './let-go.ts';
import type { SupervisorConfig } from './messages.ts';
import { signalGroup } from './process-group.ts';

export interface EnvBuild {
  /** The interpreter that it is for. */
  command: string;
  bundleDir: string;
  /** An empty folder. */
  draft: string;
  /** Where it will lie. */
  target: string;
  config: SupervisorConfig;
  print(line: string): void;
}

/** Why there is no environment; the message is for the author of the DAG, or for who runs the worker. */
export class PackagesError extends Error {
  readonly ending: { cause: TaskCause; retryable: boolean };
  constructor(message: string, cause: TaskCause = 'start_failed', retryable = true) {
    super(message);
    this.name = 'PackagesError';
    this.ending = { cause, retryable };
  }
}

const BUILD_MS = 30 * 60_000;
const WITHOUT_VENV = /No module named '?(venv|ensurepip)|ensurepip is not available/;
const PIP_INSTALL = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '-r', REQUIREMENTS];

export async function buildEnv({ command, bundleDir, draft, target, config, print }: EnvBuild): Promise<void> {
  const { pipArgs, environment } = config.packages;
  const env = { ...config.environment, ...environment };
  const deadline = performance.now() + BUILD_MS;
  const run = (of: string, args: string[], told: (line: string) => void) =>
    runToEnd(of, args, { cwd: bundleDir, env, ms: deadline - performance.now(), print: told });

  const made = await run(command, ['-m', 'venv', draft], () => undefined);
  if (WITHOUT_VENV.test(made.lines.join('\n')))
    throw new PackagesError(
      `${command} cannot make virtual environments, which ${REQUIREMENTS} needs: its modules venv and ensurepip are missing. Install them where the worker runs (Debian and Ubuntu: apt-get install python3-venv).`,
      'interpreter_missing',
      false,
    );
  if (made.problem !== null)
    throw new PackagesError(`No virtual environment could be made for ${REQUIREMENTS}: ${reasonOf(made)}`);
  const installed = await run(join(draft, 'bin', 'python'), [...PIP_INSTALL, ...pipArgs], print);
  if (installed.problem !== null)
    throw new PackagesError(`The packages of ${REQUIREMENTS} could not be installed: ${reasonOf(installed)}`);
  await moveScripts(draft, target);
}

interface Ended {
  /** Null: it went well. */
  problem: string | null;
  /** The last ones. */
  lines: string[];
}

const LINES_KEPT = 50;

function reasonOf({ problem, lines }: Ended): string {
  const said = lines.map((line) => line.trim()).filter(Boolean);
  return said.findLast((line) => line.startsWith('ERROR')) ?? said.at(-1) ?? `pip ended with ${problem}.`;
}

interface Running {
  cwd: string;
  env: { [name: string]: string };
  ms: number;
  print(line: string): void;
}

function runToEnd(command: string, args: string[], { cwd, env, ms, print }: Running): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    let problem: string | null = null;
    const hear = (line: string) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      print(line);
    };
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', hear);
    const timer = setTimeout(() => {
      hear(`ERROR: it was not done within ${BUILD_MS / 60_000} minutes.`);
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    }, ms);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ problem: error.message, lines: [...lines, error.message] });
    });
    child.on('exit', (code, signal) => {
      if (code !== 0) problem = signal ?? `exit code ${code}`;
      for (const stream of [child.stdout, child.stderr]) letGoWhenQuiet(stream);
    });
    child.on('close', () => {
      clearTimeout(timer);
      resolve({ problem, lines });
    });
  });
}

/** Commands of packages, and the environment itself, name the folder that they were installed into. */
async function moveScripts(draft: string, target: string): Promise<void> {
  const names = (await readdir(join(draft, 'bin'))).map((name) => join('bin', name));
  for (const name of [...names, 'pyvenv.cfg']) {
    const path = join(draft, name);
    if (!(await lstat(path)).isFile()) continue;
    // One byte for one character: a command may be a program
    const text = await readFile(path, 'latin1');
    const [from, to] = [draft, target].map((folder) => Buffer.from(folder).toString('latin1')) as [string, string];
    if (!text.includes('\0') && text.includes(from))
      await writeFile(
        path,
        text.replaceAll(from, () => to),
        'latin1',
      );
  }
}
