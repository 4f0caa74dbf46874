/** Checked by tsc, never run: what must compile, and what must not. */
import { z } from 'zod';
import { dag, type TaskRef } from '#sdk/index.ts';

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
