/** Runs Git as a child with limits: of time, of what it prints, and of how much it puts into a folder. */
import { spawn, type ChildProcess } from 'node:child_process';
import { folderSize } from '../folder-size.ts';
import { GitProblem } from './git-problem.ts';

export interface GitRun {
  args: readonly string[];
  /** All that the child sees. */
  environment: { [name: string]: string };
  cwd: string;
  timeoutMs: number;
  signal: AbortSignal;
  /** Grows to this many bytes at most. */
  folder?: { path: string; maxBytes: number };
  /** Takes what it prints, a piece at a time; kept and returned when not given. */
  onOutput?(chunk: Buffer): Promise<void>;
  input?: string;
}

export interface GitEnd {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

const MOST_OUTPUT = 64 * 2 ** 20;
const MOST_STDERR = 16_000;
const LOOK_MS = 100;

/** Rejects with a GitProblem when a limit is passed, whatever the child has come to. */
export async function runGit(run: GitRun): Promise<GitEnd> {
  run.signal.throwIfAborted();
  const child = spawn('git', [...HARDENED, ...run.args], {
    cwd: run.cwd,
    env: run.environment,
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: what Git starts (ssh, index-pack) ends with it
    detached: true,
  });
  let problem: Error | null = null;
  const stop = (why: Error) => {
    problem ??= why;
    killGroup(child);
  };
  const releases = [limitTime(run, stop), limitFolder(run, stop), endOnAbort(run, stop)];
  try {
    const end = await collect(child, run, stop);
    if (problem) throw problem as Error;
    return end;
  } finally {
    for (const release of releases) release();
    killGroup(child);
  }
}

/** Nothing of the machine's, the user's or the repository's settings may have Git run something, or go elsewhere. */
const HARDENED = Object.entries({
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.bigFileThreshold': '8m',
  'credential.helper': '',
  'protocol.version': '2',
  'http.followRedirects': 'false',
  'http.lowSpeedLimit': '1000',
  'http.lowSpeedTime': '30',
  'fetch.unpackLimit': '1',
  'fetch.recurseSubmodules': 'false',
  'submodule.recurse': 'false',
  'filter.lfs.smudge': '',
  'filter.lfs.process': '',
  'filter.lfs.required': 'false',
  'pack.threads': '1',
  'gc.auto': '0',
  'maintenance.auto': 'false',
}).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

type Stop = (why: Error) => void;

function limitTime({ timeoutMs }: GitRun, stop: Stop): () => void {
  const limit = () =>
    stop(
      new GitProblem(
        `The repository did not answer in full within ${Math.round(timeoutMs / 1000)} s. It is tried again.`,
      ),
    );
  const timer = setTimeout(limit, timeoutMs);
  return () => clearTimeout(timer);
}

function limitFolder({ folder }: GitRun, stop: Stop): () => void {
  if (!folder) return () => undefined;
  const { path, maxBytes } = folder;
  const tooLarge = new GitProblem(
    `The commit takes more than ${Math.floor(maxBytes / 2 ** 20)} MiB. Keep large data out of the repository, or raise MILLRACE_GIT_MAX_SIZE.`,
  );
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void folderSize(path)
      .then((size) => size > maxBytes && stop(tooLarge), stop)
      .finally(() => (looking = false));
  }, LOOK_MS);
  return () => clearInterval(timer);
}

function endOnAbort({ signal }: GitRun, stop: Stop): () => void {
  const abort = () => stop(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

function collect(child: ChildProcess, { onOutput, input }: GitRun, stop: Stop): Promise<GitEnd> {
  const kept: Buffer[] = [];
  let size = 0;
  let stderr = '';
  let taken: Promise<void> = Promise.resolve();
  const pass = (chunk: Buffer, take: NonNullable<GitRun['onOutput']>) => {
    child.stdout?.pause();
    // In a row: once the child has ended, what is left comes at once
    taken = taken.then(() => take(chunk)).then(() => void child.stdout?.resume(), stop);
  };
  child.stdout?.on('data', (chunk: Buffer) => {
    if (onOutput) return pass(chunk, onOutput);
    size += chunk.length;
    if (size > MOST_OUTPUT) stop(new GitProblem('Git printed more than it can have to say.'));
    else kept.push(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString('utf8')).slice(-MOST_STDERR)));
  // Who ends before it has read all says why elsewhere
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'ENOENT'
          ? new GitProblem('There is no git where the scheduler runs: install it there.', { cause })
          : cause,
      ),
    );
    child.on('close', (code) => void taken.then(() => resolve({ code, stdout: Buffer.concat(kept), stderr })));
    // What it started and left behind holds the pipes open
    child.on('exit', () => killGroup(child));
  });
}
