/**
 * Ways to go on. A branch chooses by the size of what came in, a short circuit stops where nothing is left to do, and one task is for the newest
 * run alone. Trigger it with other conf to see other ways: `millrace trigger branching --conf '{"orders": 5000}'`.
 */
import { dag, label } from 'millrace';
import { z } from 'zod';

export default dag(
  'branching',
  {
    description: 'Branch, join, short circuit and latest only',
    tags: ['example'],
    schedule: '@daily',
    start: '2026-01-01',
    dataIntervals: true,
    params: z.object({ orders: z.number().int().min(0).default(40).describe('How many orders came in') }),
  },
  ({ task, bash, branch, shortCircuit, latestOnly, group, empty }) => {
    const count = task('count', ({ params }) => params.orders);

    // False: all that comes after it is skipped.
    const anything = shortCircuit('anything', { count }, ({ count }) => count > 0);

    const quick = task('quick', { count }, { after: anything }, ({ count }) => `${count} orders, one by one`);
    // A group may be chosen as a whole.
    const bulk = group('bulk', ({ bash }) => {
      const split = bash('split', { command: 'echo 10' });
      return bash('load', { inputs: { PARTS: split }, command: 'echo "loaded in $PARTS parts"' });
    });
    // What it returns are names of its choices: one, a list, or nothing. They wait for it; those not chosen are skipped.
    branch('which_way', { after: anything, choices: { quick, bulk }, inputs: { count } }, ({ count }) =>
      count < 1000 ? 'quick' : 'bulk',
    );

    // The join after a branch: nothing failed, and one of the ways was gone. With `all_success` it would be skipped.
    const joined = empty('joined', {
      after: [label(quick, 'few'), label(bulk, 'many')],
      triggerRule: 'none_failed_min_one_success',
    });

    // Whoever catches up on a month of runs wants one mail, not thirty.
    const newest = latestOnly('newest', { after: joined });
    bash('mail', { after: newest, command: 'echo "To the team: the orders of {{ ds }} are in."' });
  },
);
