/** Runs Git as a child with limits: of time, of what it prints, and of how much it puts into a folder. */
import type { ChildProcess } from 'node:child_process';
import { folderSize } from '../folder-size.ts';
import { GitProblem } from './git-problem.ts';
import { killGroup, NO_GIT, spawnGit, type GitCommand } from './spawn-git.ts';

export interface GitRun extends GitCommand {
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
  const child = spawnGit({ ...run, args: [...HARDENED, ...run.args] });
  let problem: Error | null = null;
  const stop = (why: Error) => {
    problem ??= why;
    killGroup(child);
  };
  const releases = [limitTime(run, stop), limitFolder(run, stop), endOnAbort(run, stop)];
  try {
    const end = await collect(child, run, stop);
    if (problem) throw problem as Error;
    if (end.code === NO_GIT) throw new GitProblem('There is no git where the scheduler runs: install it there.');
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
    child.on('error', reject);
    child.on('close', (code) => void taken.then(() => resolve({ code, stdout: Buffer.concat(kept), stderr })));
    // What it started and left behind holds the pipes open
    child.on('exit', () => killGroup(child));
  });
}
