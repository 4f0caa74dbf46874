import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDeciding } from '#server/cli/trial/decide-approvals.ts';
import type { Answer } from '#server/cli/trial/approval-answer.ts';
import { startTestApp, type TestApp } from '../../../helpers/app.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { waitFor } from '../../../helpers/wait-for.ts';
import { reach, specOf, startWaiting } from '../../../helpers/waiting.ts';

const database = await createTestDatabase();
let app: TestApp;
let waiting: Awaited<ReturnType<typeof startWaiting>>;

beforeAll(async () => {
  app = await startTestApp(database);
  waiting = await startWaiting(database, app.engine, app.listener);
});
afterAll(async () => {
  await waiting.stop();
  await app.stop();
});

const APPROVAL = { kind: 'approval', subject: 'Go?' };
async function started(dagId: string, tasks: Record<string, object>): Promise<number> {
  const deployed = await app.engine.deploy(specOf(dagId, tasks));
  const [run] = await app.engine.createRuns([{ dagId: deployed.dagId, kind: 'manual' }]);
  return run!.runId;
}

/** Whoever is asked answers all questions alike, when the test says so. */
function deciding(given: Record<string, Answer>) {
  const seen = { asked: [] as string[], notes: [] as string[], errors: [] as unknown[] };
  let answer: (answer: Answer) => void = () => undefined;
  const answered = new Promise<Answer>((resolve) => (answer = resolve));
  const stop = startDeciding(
    { db: database.db, engine: app.engine, listener: app.listener },
    {
      given: new Map(Object.entries(given)),
      ask: ({ name }) => {
        seen.asked.push(name);
        return answered;
      },
      note: (text) => seen.notes.push(text),
      onError: (error) => seen.errors.push(error),
    },
  );
  return { seen, answer, stop };
}

describe('the approvals of a trial', () => {
  it('take what was given with the call while a person thinks about another, and questions come one by one', async () => {
    const { seen, answer, stop } = deciding({ known: { option: 'approve', form: {} } });
    const runId = await started('trial', { first: APPROVAL, second: APPROVAL, known: APPROVAL });
    await reach(database, runId, { first: 'deferred', second: 'deferred', known: 'success' });
    await waitFor(() => seen.asked.length > 0, { what: 'a question' });
    expect(seen.asked).toHaveLength(1);
    answer({ option: 'reject', form: {} });
    await reach(database, runId, { first: 'failed', second: 'failed', known: 'success' });
    await stop();
    expect({ ...seen, asked: seen.asked.sort() }).toEqual({ asked: ['first', 'second'], notes: [], errors: [] });
  });

  it('ask nothing whose time is over before its turn comes', async () => {
    const { seen, answer, stop } = deciding({});
    const runId = await started('late', { first: APPROVAL });
    await waitFor(() => seen.asked.length > 0, { what: 'the first question' });
    const later = await started('later', { second: { ...APPROVAL, timeout: 0.5, default: 'approve' } });
    await reach(database, later, { second: 'success' });
    answer({ option: 'approve', form: {} });
    await reach(database, runId, { first: 'success' });
    await stop();
    expect(seen).toEqual({ asked: ['first'], notes: [], errors: [] });
  });
});
