/** Starts Git in a group of its own, which does not outlive this process, however that ends: kill -9 runs no handler of ours. */
import { spawn, type ChildProcess } from 'node:child_process';

export interface GitCommand {
  args: readonly string[];
  /** All that the child sees. */
  environment: { [name: string]: string };
  cwd: string;
}

/** The status of a shell that does not find the command. */
export const NO_GIT = 127;

/** A shell beside Git reads from a pipe that this process alone holds, and kills the group once that breaks. */
const SCRIPT = `(read -r _ <&3; kill -KILL 0) </dev/null >/dev/null 2>&1 &
exec git "$@" 3<&-`;

export function spawnGit({ args, environment, cwd }: GitCommand): ChildProcess {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'millrace-git', ...args], {
    ...{ cwd, env: environment },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    // What Git starts (ssh, index-pack) ends with it
    detached: true,
  });
  child.stdio[3]?.on('error', () => undefined);
  return child;
}

export function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
