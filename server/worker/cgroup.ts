/** The limits of the container that this process runs in, and what is used of them: cgroup v2, or v1. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CgroupUse {
  /** CPUs; null: no limit. */
  cpus: number | null;
  /** Seconds of CPU since it was made; null: not told. */
  cpuSeconds: number | null;
  /** Bytes; null: no limit. */
  memoryLimit: number | null;
  /** Bytes without file caches that can be dropped; null: not told. */
  memoryUsed: number | null;
}

export interface CgroupFiles {
  /** Content of /proc/self/cgroup. */
  self: string;
  /** Where the hierarchies are mounted. */
  root: string;
}

/** v1 says "no limit" with a number as large as it can. */
const NO_LIMIT = 2 ** 60;

export function readCgroup({ self, root } = cgroupFiles()): CgroupUse {
  const paths = new Map<string, string>();
  for (const line of self.split('\n')) {
    const [id, controllers, path] = line.split(':', 3);
    if (path === undefined) continue;
    if (id === '0') paths.set('', path);
    else for (const controller of controllers!.split(',')) paths.set(controller, path);
  }
  return paths.has('memory') ? readV1(root, paths) : readV2(root, paths.get('') ?? '/');
}

const cgroupFiles = (): CgroupFiles => ({ self: text('/proc/self/cgroup') ?? '', root: '/sys/fs/cgroup' });

function readV2(root: string, path: string): CgroupUse {
  const read = reader(root, path);
  const [quota, period] = (read('cpu.max') ?? 'max').split(' ').map(Number);
  const microseconds = field(read('cpu.stat'), 'usage_usec');
  return {
    cpus: ratio(quota, period),
    cpuSeconds: microseconds === null ? null : microseconds / 1e6,
    memoryLimit: limit(read('memory.max')),
    memoryUsed: without(number(read('memory.current')), field(read('memory.stat'), 'inactive_file')),
  };
}

function readV1(root: string, paths: Map<string, string>): CgroupUse {
  const of = (controller: string) => reader(join(root, controller), paths.get(controller) ?? '/');
  const [cpu, accounts, memory] = [of('cpu'), of('cpuacct'), of('memory')];
  const nanoseconds = number(accounts('cpuacct.usage'));
  return {
    cpus: ratio(number(cpu('cpu.cfs_quota_us')), number(cpu('cpu.cfs_period_us'))),
    cpuSeconds: nanoseconds === null ? null : nanoseconds / 1e9,
    memoryLimit: limit(memory('memory.limit_in_bytes')),
    memoryUsed: without(number(memory('memory.usage_in_bytes')), field(memory('memory.stat'), 'total_inactive_file')),
  };
}

/** In a container the path is often one that only the host has, and its own files lie at the root. */
const reader = (root: string, path: string) => (file: string) => text(join(root, path, file)) ?? text(join(root, file));

function text(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

const number = (value: string | null): number | null =>
  value !== null && /^-?\d+$/.test(value) ? Number(value) : null;
const field = (content: string | null, name: string): number | null =>
  number(
    content
      ?.split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1) ?? null,
  );
const limit = (value: string | null): number | null => {
  const bytes = number(value);
  return bytes !== null && bytes < NO_LIMIT ? bytes : null;
};
const ratio = (quota: number | null | undefined, period: number | null | undefined): number | null =>
  quota && period && quota > 0 ? quota / period : null;
const without = (used: number | null, caches: number | null): number | null =>
  used === null ? null : Math.max(0, used - (caches ?? 0));
