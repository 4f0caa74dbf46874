/**
 * Failure on purpose. Every hour this DAG shows what happens when tasks fail, time out and skip, and how others react to it.
 * The run itself succeeds, because its only last task, `summary`, runs whatever happened.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { dag, failTask, skipTask } from 'millrace';

export default dag(
  'retry_and_rules',
  {
    description: 'Retries with backoff, a time limit, skipping, and the trigger rules that react to them',
    tags: ['example'],
    schedule: '@hourly',
    start: '2026-01-01',
    dataIntervals: true,
  },
  ({ task, bash, empty }) => {
    // --- How tasks end ---

    const steady = bash('steady', { command: 'echo "all is well"' });

    // Fails twice, then succeeds. The delays between its tries are 1 s and 2 s: each is double the one before, up to 10 s.
    const flaky = task(
      'flaky',
      {},
      { retries: 3, retryDelay: '1s', retryBackoff: 2, maxRetryDelay: '10s' },
      ({ ctx }) => {
        const { tryNumber, maxTries } = ctx.ti;
        if (tryNumber < 3) throw new Error(`Try ${tryNumber} of ${maxTries}: the connection was reset (on purpose).`);
        return `succeeded on try ${tryNumber}`;
      },
    );

    // Stopped after two seconds. `ctx.signal` tells the function, so that it can stop what it has begun.
    const slow = task('too_slow', {}, { executionTimeout: '2s' }, async ({ ctx }) => {
      await sleep(60_000, undefined, { signal: ctx.signal });
    });

    // Has retries left, but knows that another try is of no use.
    const hopeless = task('hopeless', {}, { retries: 5 }, () => failTask('The customer does not exist (on purpose).'));

    // Skipping is no failure: what depends on it is skipped too. In a bash task the exit code 99 says it.
    const nothingNew = task('nothing_new', () => skipTask('There is no new file today (on purpose).'));
    const quietDay = bash('quiet_day', { command: 'echo "nothing to do"; exit 99' });

    // --- How others react ---

    // all_success, the default: too_slow failed, so this one never runs. Its state is upstream_failed.
    const never = empty('never_runs', { after: [steady, slow] });
    // Runs as soon as one of them has failed, without waiting for the others.
    const alarm = bash('alarm', {
      after: [steady, flaky, slow, hopeless],
      triggerRule: 'one_failed',
      command: 'echo "something failed; a message to the team would go out here"',
    });
    // Runs as soon as one of them has succeeded.
    const firstResult = empty('first_result', { after: [flaky, steady], triggerRule: 'one_success' });
    // The join after a choice: none failed, and at least one was not skipped.
    const joined = empty('joined', { after: [steady, quietDay], triggerRule: 'none_failed_min_one_success' });
    // Runs only if all of them were skipped.
    const allQuiet = empty('all_quiet', { after: [nothingNew, quietDay], triggerRule: 'all_skipped' });
    // Skipped, because what it needs was skipped.
    const follows = empty('skipped_too', { after: nothingNew });

    // all_done waits for all and minds nothing: the place to clean up. An input may be missing here, so its type says `| null`.
    task(
      'summary',
      { flaky, steady },
      { after: [never, alarm, firstResult, joined, allQuiet, follows, hopeless], triggerRule: 'all_done' },
      ({ flaky, steady, ctx }) => {
        ctx.log.info(`flaky ${flaky ?? 'gave no result'}; steady said: ${steady ?? 'nothing'}`);
      },
    );
  },
);
