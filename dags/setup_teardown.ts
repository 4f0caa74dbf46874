/**
 * What is set up is torn down, whatever happens in between: also when the work fails, and also when a person cancels the run. Try
 * `millrace trigger setup_teardown --conf '{"fail": true}'`: the run fails, and the scratch folder is gone all the same.
 */
import { dag } from 'millrace';
import { z } from 'zod';

export default dag(
  'setup_teardown',
  {
    description: 'A scratch folder that is made before the work and removed after it',
    tags: ['example'],
    schedule: '@daily',
    start: '2026-01-01',
    dataIntervals: true,
    params: z.object({ fail: z.boolean().default(false).describe('Let the work fail') }),
  },
  ({ bash, withSetup, empty }) => {
    const make = bash('make_scratch', {
      command:
        'mkdir -p "/tmp/millrace-example/{{ run_id }}-scratch" && echo "/tmp/millrace-example/{{ run_id }}-scratch"',
    });
    const remove = bash('remove_scratch', { inputs: { DIR: make }, command: 'rm -r "$DIR" && echo "removed $DIR"' });

    // Clearing a task in here clears the setup and the teardown with it.
    const work = withSetup(make, remove, () => {
      const fill = bash('fill', {
        inputs: { DIR: make },
        command: 'seq 1 1000 > "$DIR/numbers" && echo "$DIR/numbers"',
      });
      return bash('sum', {
        inputs: { FILE: fill },
        command: "{{ 'exit 1' if params.fail else '' }}\nawk '{ s += $1 } END { print s }' \"$FILE\"",
      });
    });

    // The teardown is in nobody's way: what comes next waits for the work alone.
    empty('done', { after: work });
  },
);
