import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readCgroup } from '#server/worker/cgroup.ts';

const roots: string[] = [];
afterEach(() => roots.splice(0).forEach((root) => rmSync(root, { recursive: true })));

function mounted(files: { [path: string]: string }): string {
  const root = mkdtempSync(join(tmpdir(), 'millrace-cgroup-'));
  roots.push(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${content}\n`);
  }
  return root;
}
const NOTHING = { cpus: null, cpuSeconds: null, memoryLimit: null, memoryUsed: null };

describe('cgroup v2', () => {
  const files = {
    'cpu.max': '150000 100000',
    'cpu.stat': 'usage_usec 2500000\nuser_usec 1',
    'memory.max': '1073741824',
    'memory.current': '700000000',
    'memory.stat': 'anon 5\ninactive_file 200000000\nactive_file 7',
  };
  const use = { cpus: 1.5, cpuSeconds: 2.5, memoryLimit: 1073741824, memoryUsed: 500000000 };

  it('at its own path', () => {
    const nested = Object.fromEntries(Object.entries(files).map(([name, content]) => [`pod/x/${name}`, content]));
    expect(readCgroup({ self: '0::/pod/x\n', root: mounted(nested) })).toEqual(use);
  });
  it('at the root, when the path is one of the host', () => {
    expect(readCgroup({ self: '0::/kubepods/burst/77\n', root: mounted(files) })).toEqual(use);
  });
  it('without limits', () => {
    const root = mounted({ ...files, 'cpu.max': 'max 100000', 'memory.max': 'max' });
    expect(readCgroup({ self: '0::/\n', root })).toEqual({ ...use, cpus: null, memoryLimit: null });
  });
});

describe('cgroup v1', () => {
  const self = '5:memory:/job\n3:cpu,cpuacct:/job\n0::/\n';
  it('with limits', () => {
    const root = mounted({
      'cpu/job/cpu.cfs_quota_us': '200000',
      'cpu/job/cpu.cfs_period_us': '100000',
      'cpuacct/job/cpuacct.usage': '1500000000',
      'memory/job/memory.limit_in_bytes': '4294967296',
      'memory/job/memory.usage_in_bytes': '3000',
      'memory/job/memory.stat': 'total_inactive_file 1000',
    });
    expect(readCgroup({ self, root })).toEqual({ cpus: 2, cpuSeconds: 1.5, memoryLimit: 4294967296, memoryUsed: 2000 });
  });
  it('without limits', () => {
    const root = mounted({
      'cpu/cpu.cfs_quota_us': '-1',
      'cpu/cpu.cfs_period_us': '100000',
      'memory/memory.limit_in_bytes': '9223372036854771712',
    });
    expect(readCgroup({ self, root })).toEqual(NOTHING);
  });
});

it('says nothing where there is none', () => {
  expect(readCgroup({ self: '', root: '/nowhere' })).toEqual(NOTHING);
});
