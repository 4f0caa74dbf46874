/** The model test must be able to see: an engine that lets any runner finish what runs, whatever its dispatch, has to fail it. */
import fc from 'fast-check';
import { afterAll, expect, it, vi } from 'vitest';
import type * as FinishTasks from '../../../db/queries/task-transitions/finish-tasks.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine } from '../../helpers/engine.ts';
import { scenario } from '../../helpers/engine-commands.ts';
import { play } from '../../helpers/engine-model.ts';
import { randomDag } from '../../helpers/random-dag.ts';

vi.mock('../../../db/queries/task-transitions/finish-tasks.ts', async (original) => {
  const actual = await original<typeof FinishTasks>();
  return {
    ...actual,
    finishTasks(parts: FinishTasks.FinishParts) {
      const { name, text } = actual.finishTasks(parts);
      const unfenced = text.replace('t.dispatch_id = f.dispatch_id and', '');
      if (unfenced === text)
        throw new Error('The statement has no such check of the dispatch any more: find it again.');
      return { name, text: unfenced };
    },
  };
});

const database = await createTestDatabase();
const engines = [createTestEngine(database), createTestEngine(database)];
afterAll(() => Promise.all(engines.map((engine) => engine.stop())));

it('catches an engine that does not compare the dispatch of a report', { timeout: 120_000 }, async () => {
  const result = await fc.check(
    fc.asyncProperty(scenario(randomDag({ mostTasks: 3 }), 40), ([spec, commands]) =>
      play(database, engines, spec, commands),
    ),
    { numRuns: 200, unbiased: true, endOnFailure: true },
  );
  expect(result.failed).toBe(true);
  expect(String(result.errorInstance)).toMatch(/was answered .*ACCEPTED.*, should be|was accepted; recorded under it/);
});
