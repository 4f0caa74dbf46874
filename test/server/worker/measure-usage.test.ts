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
    // A machine that has other work gives it less than one CPU, and a look after a few milliseconds may see no tick at all
    await waitFor(
      async () => {
        const now = await measure();
        const isSeen = now.ownMemory > before.ownMemory + 200 * 2 ** 20 && now.ownCpu! > 0.2 && now.cpuUsed! > 0;
        return isSeen || Promise.reject(new Error(JSON.stringify(now)));
      },
      { what: 'a child that is busy' },
    );
  } finally {
    child.kill('SIGKILL');
  }
});
