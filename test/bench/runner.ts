/** What the runner costs for a task that does nothing: `node --import tsx test/bench/runner.ts`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskReport } from '#sdk/protocol.ts';
import { createSupervisorClient } from '#server/runner/supervisor-client.ts';
import { makeDispatch, tsBundle, type TaskInput } from '../helpers/runner.ts';

const home = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
const bundle = join(home, 'bundle');
mkdirSync(bundle);
for (const [path, text] of Object.entries({ ...tsBundle({ noop: '() => 1' }), 'noop.py': 'def noop(): return 1\n' }))
  writeFileSync(join(bundle, path), text);

const waiting = new Map<string, (report: TaskReport) => void>();
const client = createSupervisorClient({
  home,
  fetchBundleDir: () => Promise.resolve(bundle),
  onEvent(event) {
    if (event.type === 'finished') waiting.get(event.report.dispatchId)?.(event.report);
  },
});
const run = async (task: TaskInput) => {
  const dispatch = makeDispatch(task, { bundleHash: 'bundle' });
  const report = await new Promise<TaskReport>((resolve) => {
    waiting.set(dispatch.dispatchId, resolve);
    client.start(dispatch);
  });
  waiting.delete(dispatch.dispatchId);
  if (report.outcome !== 'success') throw new Error(`${task.kind}: ${report.message ?? report.cause}`);
};

async function measure(task: TaskInput, oneByOne: number, together: number, width: number) {
  for (let n = 0; n < 20; n += 1) await run(task);
  const took: number[] = [];
  for (let n = 0; n < oneByOne; n += 1) {
    const started = performance.now();
    await run(task);
    took.push(performance.now() - started);
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => (took[Math.floor(took.length * share)] ?? 0).toFixed(2);
  const started = performance.now();
  let left = together;
  const lane = async () => {
    while (left-- > 0) await run(task);
  };
  await Promise.all(Array.from({ length: width }, lane));
  const rate = Math.round(together / ((performance.now() - started) / 1_000));
  console.log(`${task.kind}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${rate} tasks/s with ${width} at once`);
}

console.log(`${cpus().length} × ${cpus()[0]?.model ?? '?'}, load ${loadavg()[0]?.toFixed(2) ?? '?'}`);
await measure({ kind: 'typescript', taskId: 'noop' }, 1_000, 40_000, 64);
await measure({ kind: 'python', callable: 'noop.py:noop' }, 200, 1_000, 8);
await measure({ kind: 'bash', command: 'true' }, 200, 1_000, 8);
await client.stop();
rmSync(home, { recursive: true, force: true });
