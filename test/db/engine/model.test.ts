import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine } from '../../helpers/engine.ts';
import { scenario } from '../../helpers/engine-commands.ts';
import { play } from '../../helpers/engine-model.ts';
import { randomDag } from '../../helpers/random-dag.ts';

const database = await createTestDatabase();
const engines = [createTestEngine(database), createTestEngine(database)];
afterAll(() => Promise.all(engines.map((engine) => engine.stop())));

it(
  'keeps its promises whatever is asked of it, in whatever order, by two servers and three workers',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(scenario(randomDag({ mostTasks: 7 }), 40), ([spec, commands]) =>
        play(database, engines, spec, commands),
      ),
      { numRuns: 100, unbiased: true, interruptAfterTimeLimit: 30_000, endOnFailure: false },
    );
    expect(engines.flatMap((engine) => engine.errors)).toEqual([]);
  },
);
