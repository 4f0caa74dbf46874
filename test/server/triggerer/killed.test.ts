/** kill -9 of the process that looks, in the middle of its looks: they are made again, and no try is lost. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, runStateOf, work } from '../../helpers/engine.ts';
import { specOf } from '../../helpers/waiting.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { causesOf } from '../../helpers/workload.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
afterAll(() => engine.stop());

async function startTriggererProcess(): Promise<ChildProcess> {
  const main = join(import.meta.dirname, '../../helpers/triggerer-process-main.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', main, database.url], {
    cwd: join(import.meta.dirname, '../../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(createInterface({ input: child.stdout! }), 'line');
  return child;
}

it('goes on where a killed triggerer stopped, without a lost try or a second run', { timeout: 90_000 }, async () => {
  const held: ServerResponse[] = [];
  let isReady = false;
  const site = createServer((_request, response) => (isReady ? response.end('ready') : held.push(response)));
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    site.closeAllConnections();
    site.close();
  });
  const http = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;

  const child = await engine.deploy(specOf('child', { job: { kind: 'bash', command: 'true' } }));
  const sensors = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`wait_${i}`, { kind: 'sensor', for: { http }, pokeInterval: 1, retries: 0 }]),
  );
  const starts = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`start_${i}`, { kind: 'trigger_dag', dagId: 'child', wait: true }]),
  );
  const { dagId } = await engine.deploy(specOf('parent', { ...sensors, ...starts }, { maxActiveTasks: 100 }));
  const first = await startTriggererProcess();
  const [created] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  const { runId } = created!;

  // All sensors hang in the middle of a look
  await waitFor(() => held.length >= 20, { timeoutMs: 20_000, what: 'all sensors to ask' });
  first.kill('SIGKILL');
  await once(first, 'exit');
  isReady = true;
  await startTriggererProcess();
  const worker = await engine.worker();
  await waitFor(
    async () => {
      await work(engine, worker);
      return (await runStateOf(database, runId)) === 'success';
    },
    { timeoutMs: 60_000, what: 'the run to end' },
  );
  const records = await checkRuns(database, { finished: true });
  expect(causesOf(records)).toEqual({ ok: 40 });
  const { rows } = await database.pool.query('select from dag_run where dag_id = $1', [child.dagId]);
  expect(rows).toHaveLength(10);
});
