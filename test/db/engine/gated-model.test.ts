import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DagSpec, TaskSpec } from '#sdk/dag-spec.ts';
import { STALLED_GATES } from '#db/queries/task-transitions/gate-statements.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine } from '../../helpers/engine.ts';
import { scenario } from '../../helpers/engine-commands.ts';
import { play } from '../../helpers/engine-model.ts';
import { randomDag } from '../../helpers/random-dag.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { pool } = database;
const engines = [createTestEngine(database), createTestEngine(database)];
afterAll(() => Promise.all(engines.map((engine) => engine.stop())));

/** The database itself refuses a commit after which a gate has given more than it has, whoever is to blame. */
beforeAll(async () => {
  await pool.query(`insert into pool (name, slots) values ('small', 2), ('large', 4)`);
  await pool.query(`
    create function refuse_too_much() returns trigger language plpgsql as $$
    declare most int := case when new.gate = 'pool:small' or new.gate like 'task:%' then 2 when new.gate = 'pool:large' then 4
      when new.gate like 'dag:%' then 3 else 1 end;
    begin
      if (select sum(slots) from held_slot where gate = new.gate) > most then
        raise exception 'more than % is held of %', most, new.gate;
      end if;
      return null;
    end $$;
    create constraint trigger refuse_too_much after insert on held_slot deferrable initially deferred
      for each row execute function refuse_too_much()`);
});

/** What is held after everything has ended, and what became of its holders. */
const HELD = `select h.gate, h.run_id, h.task_index, t.state, r.state as run, (select json_agg(body order by run_seq) from event e where e.run_id = h.run_id) as events
  from held_slot h left join task_instance t using (run_id, task_index, map_index) left join dag_run r on r.id = h.run_id`;

const gated: fc.Arbitrary<Partial<TaskSpec>> = fc.record(
  {
    pool: fc.constantFrom('small', 'large'),
    poolSlots: fc.integer({ min: 1, max: 2 }),
    maxActiveTis: fc.constant(2),
    maxActiveTisPerRun: fc.constant(1),
    concurrencyKey: fc.constant({ key: ['params.customer'], limit: 1 }),
    rateLimit: fc.constant({ limit: 1000, per: 1, key: [], name: null }),
  },
  { requiredKeys: [] },
);

const gatedDag: fc.Arbitrary<Omit<DagSpec, 'dagId'>> = fc
  .tuple(randomDag({ mostTasks: 7 }), fc.array(gated, { minLength: 7, maxLength: 7 }), fc.constantFrom(null, null, 3))
  .map(([spec, limits, maxActiveTasksPerDag]) => ({
    ...spec,
    maxActiveTasksPerDag,
    tasks: spec.tasks.map((task, i) => ({ ...task, ...limits[i] })) as TaskSpec[],
  }));

it(
  'keeps within its limits whatever is asked of two engines, and leaves nobody waiting for what is free',
  { timeout: 180_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(scenario(gatedDag, 40), async ([spec, commands]) => {
        await play(database, engines, spec, commands);
        // What the last end has let go of reaches the others in a flush of its own
        await waitFor(
          async () => {
            const { rows } = await pool.query({ ...STALLED_GATES, values: [10] });
            if (rows.length > 0) throw new Error(`Nobody came to ${JSON.stringify(rows)}`);
            return true;
          },
          { what: 'all that is free to be taken' },
        );
        const { rows: held } = await pool.query(HELD);
        expect(held).toEqual([]);
      }),
      { numRuns: 60, unbiased: true, interruptAfterTimeLimit: 60_000, endOnFailure: false },
    );
    expect(engines.flatMap((engine) => engine.errors)).toEqual([]);
  },
);
