/**
 * One task, many instances. How many is known when the run is under way: `list_files` finds out, `measure` runs once per file, and `totals`
 * reads what all of them found. The group `region` is mapped as a whole: each region has a pipeline of its own.
 */
import { dag, each, eachOf } from 'millrace';
import { z } from 'zod';

export default dag(
  'mapping',
  {
    description: 'A mapped task, a mapped group, and the reduce after each',
    tags: ['example'],
    schedule: '@daily',
    start: '2026-01-01',
    dataIntervals: true,
    params: z.object({ files: z.number().int().min(0).max(500).default(6) }),
  },
  ({ task, bash, group }) => {
    const files = task('list_files', ({ params }) =>
      Array.from({ length: params.files }, (_, index) => ({ name: `part-${index}.csv`, rows: 100 + 7 * index })),
    );

    // An instance per file; its fields are the arguments. At most three at once; `name` is what people see. No file, no instance: skipped.
    const measure = task(
      'measure',
      eachOf(files),
      { mapName: '{{ name }}', maxActiveTisPerRun: 3, retries: 2, retryDelay: '5s' },
      // An instance that returns null is not in the list that comes after
      ({ name, rows }) => (rows % 2 === 0 ? { name, bytes: rows * 42 } : null),
    );
    // The reduce: the results of all instances, in the order of the files.
    task('totals', { measure }, { triggerRule: 'none_failed' }, ({ measure, ctx }) => {
      const bytes = (measure ?? []).reduce((sum, part) => sum + part.bytes, 0);
      ctx.log.info(`${measure?.length ?? 0} files of even length, ${bytes} bytes`);
      return bytes;
    });

    // All tasks of the group run once per item. Each copy goes on by itself: a slow region holds no other back.
    const region = group('region', { map: { code: each(['eu', 'us', 'apac']) }, mapName: '{{ code }}' }, ({ task }) => {
      const fetch = task('fetch', ({ code }) => ({ code, orders: code.length * 100 }));
      return task('clean', { fetch }, ({ fetch, code }) => ({ code, orders: fetch.orders - 1 }));
    });
    // Seen from outside, a result of the group is a list.
    bash('report', { inputs: { REGIONS: region.out }, command: 'echo "$REGIONS"' });
  },
);
