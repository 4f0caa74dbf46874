/**
 * Waiting. A sensor ends when something is there: a time, a file, an answer over HTTP, a row, another DAG's task, or whatever a function of
 * yours finds. Those that the service can look for itself hold no worker meanwhile.
 */
import { freemem } from 'node:os';
import { dag, done } from 'millrace';

export default dag(
  'sensors',
  {
    description: 'Waits for a moment, for a file and for a function of its own',
    tags: ['example'],
    schedule: '@daily',
    start: '2026-01-01',
    dataIntervals: true,
  },
  ({ bash, sensor, task }) => {
    // No worker is held: the service wakes it when the time has come. In the page it is "deferred".
    const moment = sensor('a_moment', { for: { delta: '3s' } });

    // Somebody delivers a file, by and by.
    bash('deliver', {
      command:
        'mkdir -p "/tmp/millrace-example/{{ run_id }}" && sleep 2 && echo "a,b" > "/tmp/millrace-example/{{ run_id }}/in.csv"',
    });
    // Files lie on the worker's machine, so a worker looks, once a second. It is free in between: "up for reschedule".
    const file = sensor('file', {
      for: { file: '/tmp/millrace-example/{{ run_id }}/*.csv' },
      every: '1s',
      timeout: '2m',
    });

    // Any condition that code can find out. False means: ask again later. What done() is given is the result.
    const memory = sensor('memory', { every: '5s', pokeBackoff: 2, timeout: '1m', softFail: true }, () => {
      const free = Math.round(freemem() / 2 ** 20);
      return free > 16 && done({ freeMiB: free });
    });

    task('report', { file, memory }, { after: moment, triggerRule: 'none_failed' }, ({ file, memory, ctx }) => {
      ctx.log.info(`found ${JSON.stringify(file)}; ${memory?.freeMiB ?? 'too few'} MiB are free`);
    });
  },
);
