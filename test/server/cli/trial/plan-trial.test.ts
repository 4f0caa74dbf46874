import { describe, expect, it } from 'vitest';
import { GIVEN_QUEUE, planIssues, planTrial, type TrialRequest } from '#server/cli/trial/plan-trial.ts';
import { dagOf } from '../../../helpers/engine.ts';

const input = (task: string, key = 'return_value') => ({ task, key });
const spec = dagOf(
  'sales',
  {
    extract: { retries: 3 },
    enrich: ['extract'],
    load: {
      upstream: ['extract', 'enrich'],
      inputs: { ROWS: input('extract'), SHAPE: input('enrich', 'shape') },
      triggerRule: 'one_failed',
      retries: 2,
    },
    report: ['load'],
  },
  { schedule: { kind: 'cron', expressions: ['@daily'] }, catchup: true, pausedOnCreation: true },
);
const plan = (request: Partial<TrialRequest>) => planTrial(spec, { inputs: {}, tryAll: false, ...request });
const idsOf = ({ spec: planned }: ReturnType<typeof plan>) => planned.tasks.map((task) => task.taskId);
const taskOf = ({ spec: planned }: ReturnType<typeof plan>, id: string) =>
  planned.tasks.find((task) => task.taskId === id);

describe('planTrial', () => {
  it('keeps the whole DAG, but no schedule that would make runs of its own, and one try for each task', () => {
    const planned = plan({});
    expect(planned.spec).toMatchObject({ schedule: null, catchup: false, pausedOnCreation: false });
    expect(planned.spec.tasks).toEqual(spec.tasks.map((task) => ({ ...task, retries: 0 })));
    expect(planned.missing).toEqual([]);
  });

  it('runs code for a Pod on its own worker', () => {
    const onCluster = dagOf('c', { a: { executor: 'kubernetes', queue: '@kubernetes/gpu' }, b: { queue: 'fast' } });
    const { tasks } = planTrial(onCluster, { inputs: {}, tryAll: false }).spec;
    expect(tasks).toMatchObject([
      { executor: 'worker', queue: 'default' },
      { executor: null, queue: 'fast' },
    ]);
  });

  it('keeps the retries when all tries are wanted', () => {
    expect(plan({ tryAll: true }).spec.tasks).toEqual(spec.tasks);
  });

  it('one task alone: its upstreams are stood in for, and its rule does not judge them', () => {
    const planned = plan({ task: 'load', inputs: { ROWS: [1, 2], SHAPE: 'wide' } });
    expect(idsOf(planned)).toEqual(['load', 'extract', 'enrich']);
    expect(planned.running.map((task) => task.taskId)).toEqual(['load']);
    expect(taskOf(planned, 'extract')).toMatchObject({ queue: GIVEN_QUEUE, upstream: [], retries: 0 });
    expect(taskOf(planned, 'load')).toMatchObject({ triggerRule: 'all_done', queue: 'default', retries: 0 });
    expect(Object.fromEntries(planned.given)).toEqual({ extract: { return_value: [1, 2] }, enrich: { shape: 'wide' } });
    expect(planned.missing).toEqual([]);
    expect(planIssues(planned)).toEqual([]);
  });

  it('a result may be given by the name of the task as well', () => {
    expect(Object.fromEntries(plan({ task: 'load', inputs: { extract: 7 } }).given)).toEqual({
      extract: { return_value: 7 },
    });
  });

  it('says which inputs nobody gave', () => {
    expect(plan({ task: 'load', inputs: { ROWS: 1 } }).missing).toEqual(['SHAPE']);
  });

  it('with its upstreams all that it depends on runs, and nothing after it', () => {
    const planned = plan({ task: 'load', upstream: true });
    expect(idsOf(planned)).toEqual(['extract', 'enrich', 'load']);
    expect(planned.spec.tasks.every((task) => task.queue === 'default')).toBe(true);
    expect(taskOf(planned, 'load')).toMatchObject({ triggerRule: 'one_failed' });
  });

  it.each<[string, Partial<TrialRequest>, RegExp]>([
    ['a task that is not there', { task: 'loads' }, /no task "loads".*Did you mean 'load'\?.*extract, enrich/],
    ['an input that is not there', { task: 'load', inputs: { ROW: 1 } }, /--input ROW.*Did you mean 'ROWS'\?/],
    ['a result of a task that runs', { task: 'load', upstream: true, inputs: { extract: 1 } }, /"extract" runs itself/],
    ['a result where all tasks run', { inputs: { ROWS: 1 } }, /Name one with --task/],
  ])('refuses %s', (_what, request, message) => {
    expect(() => plan(request)).toThrow(message);
  });
});
