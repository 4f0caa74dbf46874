/** What `latest_only` lets through. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createListener, type Listener } from '#db/listen.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, runStateOf } from '../helpers/engine.ts';
import { reach, specOf, startWaiting } from '../helpers/waiting.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
let listener: Listener;
let waiting: Awaited<ReturnType<typeof startWaiting>>;
let dags = 0;

beforeAll(async () => {
  listener = createListener(database.url);
  await listener.start();
  waiting = await startWaiting(database, engine, listener);
});
afterEach(async () => {
  await checkRuns(database);
  expect([...waiting.errors, ...engine.errors]).toEqual([]);
});
afterAll(async () => {
  await waiting.stop();
  await listener.stop();
  await engine.stop();
});

const TASKS = {
  newest: { kind: 'latest_only' },
  publish: { upstream: 'newest' },
  tell: { upstream: 'publish' },
  always: { upstream: 'newest', triggerRule: 'all_done' },
  other: {},
};
const LATEST = { newest: 'success', publish: 'success', tell: 'success', always: 'success', other: 'success' };

/** One run for each day, made at once. */
async function runs(days: readonly string[], kind: 'scheduled' | 'manual' = 'scheduled') {
  const { dagId } = await engine.deploy(specOf(`dag_${++dags}`, TASKS));
  const created = await engine.createRuns(days.map((day) => ({ dagId, kind, logicalDate: new Date(day) })));
  return created.map((run) => run.runId);
}

it('lets the newest run of its schedule through', async () => {
  const [runId] = await runs(['2024-01-01']);
  await reach(database, runId!, LATEST);
});

it('skips its direct downstream, whatever its rule, in a run that is not the newest, and the run succeeds', async () => {
  const [older, newest] = await runs(['2024-01-01', '2024-01-02']);
  await reach(database, older!, {
    newest: 'success',
    publish: 'skipped',
    tell: 'skipped',
    always: 'skipped',
    other: 'success',
  });
  await reach(database, newest!, LATEST);
  expect(await runStateOf(database, older!)).toBe('success');
});

it('lets every run through that a person starts', async () => {
  const [older, newer] = await runs(['2024-01-01', '2024-01-02'], 'manual');
  await reach(database, older!, LATEST);
  await reach(database, newer!, LATEST);
});
