/**
 * A person decides. Start it by hand: it waits until somebody chooses, for ten minutes at most, and goes on with `approve` then. While it
 * waits it holds nothing but a row.
 */
import { dag } from 'millrace';

export default dag(
  'approval',
  { description: 'Ships a release when a person approves it', tags: ['example'] },
  ({ approval, bash, task }) => {
    const build = bash('build', { command: 'echo "release 1.{{ run_id | length }}"' });

    const decision = approval('ship_it', {
      inputs: { build },
      subject: 'Ship {{ inputs.build }}?',
      body: 'The tests are **green**. Say how many percent of the customers get it first.',
      form: {
        type: 'object',
        properties: {
          percent: { type: 'integer', minimum: 1, maximum: 100, default: 10, title: 'Percent of customers' },
        },
      },
      timeout: '10m',
      default: 'approve',
      // A rejection is no failure: what comes after it is skipped
      onReject: 'skip',
    });

    task('ship', { decision }, ({ decision, ctx }) => {
      const { by, form } = decision;
      ctx.log.info(
        `${by ?? 'nobody in ten minutes'} decided: it goes to ${String(form['percent'])} % of the customers`,
      );
    });
  },
);
