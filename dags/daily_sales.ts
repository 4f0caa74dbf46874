/**
 * A day's run that may be made for any day: it takes its date from the run, never from the clock, and running it twice gives the same. That is all a
 * backfill needs. docs/backfill.md says how to run it for a whole month.
 */
import { dag } from 'millrace';

export default dag(
  'daily_sales',
  {
    description: 'Counts the sales of a day; made to be run again for days gone by',
    tags: ['example'],
    schedule: '@daily',
    start: '2026-01-01',
    dataIntervals: true,
    maxActiveRuns: 4,
  },
  ({ task, bash }) => {
    const sales = task('sales', ({ ctx }) => {
      const day = ctx.run.logicalDate?.slice(0, 10) ?? 'a day';
      // Stands for a query `where sold_on = :day`
      const amount = [...day].reduce((sum, character) => sum + character.charCodeAt(0), 0);
      return { day, amount };
    });
    bash('write', {
      inputs: { SALES: sales },
      // A file for each day, written anew: not appended to
      command:
        'mkdir -p /tmp/millrace-example/sales && echo "$SALES" > "/tmp/millrace-example/sales/{{ ds | default(run_id) }}.json"',
    });
  },
);
