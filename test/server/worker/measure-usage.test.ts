import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { createUsageMeter } from '#server/worker/measure-usage.ts';
import { waitFor } from '../../helpers/wait-for.ts';

it('counts what the worker has started, also what has left its process group', async () => {
  const measure = createUsageMeter();
  const before = await measure();
  expect(before).toMatchObject({ cpuUsed: null, ownCpu: null });
  expect(before.memoryUsed).toBeLessThan(before.memoryLimit);
  expect(before.cpus).toBeGreaterThan(0);
  const busy = 'const held = Buffer.alloc(300 * 2 ** 20, 1); for (;;) held[0]++;';
  const child = spawn(process.execPath, ['-e', busy], { detached: true, stdio: 'ignore' });
  try {
    // A machine that has other work gives it less than one CPU
    const seen = await waitFor(
      async () => {
        const now = await measure();
        return now.ownMemory > before.ownMemory + 200 * 2 ** 20 && (now.ownCpu ?? 0) > 0.2 ? now : null;
      },
      { what: 'a child that is busy' },
    );
    expect(seen.cpuUsed).toBeGreaterThan(0);
  } finally {
    child.kill('SIGKILL');
  }
});
