/** Checked by tsc, never run: what must compile, and what must not. */
import { z } from 'zod';
import { concat, dag, each, eachOf, label, zip, zipLongest, type TaskRef } from '#sdk/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <A, B>(_same: Equal<A, B>): void => undefined;

interface Reading {
  date: Date;
  degrees: number;
  note?: string;
}
const read = (region: 'eu' | 'us'): Promise<Reading[]> =>
  Promise.resolve([{ date: new Date(0), degrees: region === 'eu' ? 1 : 2 }]);

export const etl = dag(
  'etl',
  {
    schedule: '@daily',
    start: '2026-01-01',
    retries: 2,
    retryDelay: '5m',
    params: z.object({ region: z.enum(['eu', 'us']).default('eu') }),
  },
  ({ task, bash, python, empty }) => {
    const weather = task('weather', async ({ params }) => read(params.region));
    expectType<typeof weather, TaskRef<{ date: string; degrees: number; note?: string }[]>>(true);

    const clean = task('clean', { weather }, async ({ weather, ctx }) => {
      expectType<typeof weather, { date: string; degrees: number; note?: string }[]>(true);
      ctx.ti.xcomPush('path', '/tmp/x');
      return weather.filter((row) => row.degrees > 0).length;
    });
    const report = bash('report', {
      after: clean,
      command: 'wc -l "$FILE"',
      inputs: { FILE: clean.xcom<string>('path') },
    });
    const trained = python<{ accuracy: number }>('train', {
      callable: 'ml.py:train',
      inputs: { weather },
      args: { epochs: 3 },
    });
    const done = empty('done', { after: [report, trained] });

    task('typed', { trained, path: clean.xcom<string>('path') }, ({ trained, path }) => {
      expectType<typeof trained, { accuracy: number }>(true);
      expectType<typeof path, string>(true);
    });
    task('maybe', { clean }, { triggerRule: 'all_done' }, ({ clean }) => {
      expectType<typeof clean, number | null>(true);
    });
    const nothing = task('nothing', { clean }, { retries: 1 }, ({ clean }) => {
      expectType<typeof clean, number>(true);
    });
    expectType<typeof nothing, TaskRef<null>>(true);
    expectType<typeof done, TaskRef<null>>(true);

    // @ts-expect-error there is no input of that name
    task('wrong_name', { weather }, ({ wether }) => wether);
    // @ts-expect-error the rows have no such field
    task('wrong_field', { weather }, ({ weather }) => weather.map((row) => row.celsius));
    // @ts-expect-error a date has become a string
    task('wrong_type', { weather }, ({ weather }) => weather.map((row) => row.date.getTime()));
    // @ts-expect-error no such param
    task('wrong_param', ({ params }) => params.zone);
    // @ts-expect-error the param is no number
    task('wrong_param_type', ({ params }) => params.region.toFixed());
    // @ts-expect-error ctx is taken
    task('reserved', { ctx: weather }, () => 1);
    // @ts-expect-error an input is a task, not a value
    task('no_task', { weather: 3 }, () => 1);
    // @ts-expect-error a task waits for tasks, not ids
    task('string_after', {}, { after: 'weather' }, () => 1);
    // @ts-expect-error no such trigger rule
    empty('wrong_rule', { triggerRule: 'all_sucess' });
    // @ts-expect-error no such option
    bash('wrong_option', { comand: 'true' });
    // @ts-expect-error no such unit
    empty('wrong_duration', { retryDelay: '5 minutes' });
    // @ts-expect-error a callable or a source, not both
    python('both', { callable: 'a.py:f', source: 'pass' });
  },
);

export const untyped = dag('untyped', {}, ({ task }) => {
  task('conf', ({ params, conf }) => [params['x'] ?? null, conf['y'] ?? null]);
});
// @ts-expect-error params are a schema, not values
dag('plain_params', { params: { region: 'eu' } }, () => undefined);

export const mapped = dag(
  'mapped',
  { params: z.object({ n: z.number().default(1) }) },
  ({ task, bash, python, group }) => {
    const files = task('files', () => ['a.csv', 'b.csv']);
    const sizes = task('size', { file: each(files) }, ({ file, params }) => {
      expectType<typeof file, string>(true);
      return { file, bytes: file.length + params.n };
    });
    expectType<typeof sizes, TaskRef<{ file: string; bytes: number }[]>>(true);
    task('sum', { sizes }, ({ sizes }) => sizes.reduce((sum, { bytes }) => sum + bytes, 0));

    const some = task('some', { file: each(files), n: each([1, 2]) }, { mapName: '{{ file }}' }, ({ file, n }) => {
      expectType<typeof n, number>(true);
      return n > 1 ? file : null;
    });
    // Instances that returned nothing are not in the list
    expectType<typeof some, TaskRef<string[]>>(true);

    const rows = task('rows', () => [{ table: 'a', limit: 3 }]);
    task('row', eachOf(rows, { files }), ({ table, limit, files }) => {
      expectType<typeof table, string>(true);
      expectType<typeof limit, number>(true);
      expectType<typeof files, string[]>(true);
    });
    task('pairs', { pair: each(zip(files, [1, 2])) }, ({ pair }) => {
      expectType<typeof pair, [string, number]>(true);
    });
    task('long', { pair: each(zipLongest(null, files, [1, 2])) }, ({ pair: [file, n] }) => [file?.length, n]);
    task('all', { file: each(concat(files, ['c.csv'])) }, ({ file }) => file.length);
    const counts = task('counts', () => ({ a: 1, b: 2 }) as { [name: string]: number });
    task('entries', { entry: each(counts) }, ({ entry: [name, count] }) => name.repeat(count));
    const lines = bash('lines', { inputs: { FILE: each(files) }, command: 'wc -l < $FILE' });
    expectType<typeof lines, TaskRef<string[]>>(true);
    python<number[]>('py', { callable: 'a.py:f', inputs: { file: each(files) } });

    const load = group('load', { map: { region: each(['eu', 'us']) }, retries: 2 }, ({ task }) => {
      const read = task('read', ({ region }) => {
        expectType<typeof region, string>(true);
        return region.length;
      });
      // Inside, a result is that of the same copy
      return { done: task('write', { read }, ({ read, region }) => `${region} ${read.toFixed()}`) };
    });
    expectType<typeof load.out.done, TaskRef<string[]>>(true);
    task('after', { written: load.out.done }, { after: label(load, 'loaded') }, ({ written }) => written.join());
    group('plain', { after: [load, label(files, 'names')] }, ({ empty }) => empty('start'));

    // @ts-expect-error the items are strings
    task('wrong_item', { file: each(files) }, ({ file }) => file.toFixed());
    // @ts-expect-error the list of results has no such field
    task('wrong_reduce', { sizes }, ({ sizes }) => sizes.map((size) => size.lines));
    // @ts-expect-error no such column
    task('wrong_column', eachOf(rows), ({ tabel }) => tabel);
    // @ts-expect-error ctx is taken
    task('reserved_axis', { ctx: each(files) }, () => 1);
    // @ts-expect-error one result is no list
    task('no_list', { n: each(task('number', () => 1)) }, ({ n }) => n.toFixed());
    // @ts-expect-error the group has no such argument
    group('wrong_argument', { map: { region: each(['eu']) } }, ({ task }) => task('a', ({ zone }) => zone));
    // @ts-expect-error a group maps over lists, not tasks
    group('no_each', { map: { region: files } }, () => 1);
  },
);

export const flow = dag(
  'flow',
  {},
  ({ task, empty, bash, group, branch, shortCircuit, latestOnly, setup, teardown, withSetup }) => {
    const rows = task('rows', () => 3);
    const full = empty('full');
    const delta = group('delta', ({ empty }) => empty('read'));
    branch('pick', { choices: { full, delta }, inputs: { rows } }, ({ rows }) =>
      rows.toFixed() ? 'full' : ['delta', 'full'],
    );
    branch('none', { choices: { full } }, () => null);
    branch('python', { choices: [full, delta], callable: 'a.py:f' });
    branch('template', { choose: [{ when: '{{ params.full }}', then: full }, { then: [delta] }] });
    const check = shortCircuit('check', { rows }, ({ rows }) => rows > 3);
    expectType<typeof check, TaskRef<boolean>>(true);
    shortCircuit('check_late', { rows }, { ignoreTriggerRules: false }, async ({ rows }) => Promise.resolve(rows > 3));
    shortCircuit('template_check', { condition: '{{ params.full }}' });
    latestOnly('latest', { after: check });
    const create = setup(bash('create', { command: 'create' }));
    teardown(bash('drop', { command: 'drop' }), { setups: create, failsRun: true });
    withSetup(create, empty('end'), () => empty('between'));

    // @ts-expect-error there is no such choice
    branch('wrong_choice', { choices: { full } }, () => 'ful');
    // @ts-expect-error a condition is true or false
    shortCircuit('wrong_condition', { rows }, ({ rows }) => rows);
    // @ts-expect-error a choice is a task or a group
    branch('wrong_kind', { choices: { full: 'full' } }, () => 'full');
    // @ts-expect-error a setup is a task
    setup(delta);
  },
);
