/** The machine that the figures belong to. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { statfsSync } from 'node:fs';

/** Above this the one-minute load average says that somebody else is computing. */
export const MOST_LOAD = 0.5;

export interface Machine {
  cpu: string;
  cores: number;
  virtual: string;
  memory: string;
  disk: string;
  system: string;
  node: string;
  load: number;
}

export function describeMachine(dataDir: string): Machine {
  const model = cpus()[0]?.model ?? 'unknown';
  return {
    cpu: model,
    cores: availableParallelism(),
    virtual: virtualisation(),
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    disk: disk(dataDir),
    system: `Linux ${release()}`,
    node: process.version,
    load: loadavg()[0] ?? 0,
  };
}

function virtualisation(): string {
  const flags = readFileSync('/proc/cpuinfo', 'utf8');
  const host = / hypervisor /.test(flags) ? 'virtual machine' : 'bare metal';
  return existsSync('/.dockerenv') ? `container on a ${host}` : host;
}

function disk(path: string): string {
  const { bsize, blocks } = statfsSync(path);
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const on = mounts
    .filter(([, at]) => at && path.startsWith(at))
    .sort((a, b) => (b[1]?.length ?? 0) - (a[1]?.length ?? 0));
  return `${on[0]?.[2] ?? 'unknown file system'}, ${((bsize * blocks) / 2 ** 30).toFixed(0)} GiB`;
}

/** The version that a program tells with --version, or null when it is not there. */
export function versionOf(program: string): string | null {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export const currentLoad = (): number => loadavg()[0] ?? 0;
