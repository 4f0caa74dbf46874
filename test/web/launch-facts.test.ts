import { describe, expect, it } from 'vitest';
import { clusterEvents, kubectlCommands, launchSteps } from '../../web/pages/run/launch-facts.ts';
import { createReasonWishes, MOST_AT_ONCE, withReasons } from '../../web/pages/run/reason-wishes.ts';
import { causeWords } from '../../web/messages/causes.ts';
import { waitingWord } from '../../web/pages/run/waiting-word.ts';
import { TASK_CAUSES } from '../../sdk/states.ts';

const at = (second: number) => `2026-11-22T06:00:${String(second).padStart(2, '0')}Z`;

describe('the stages of a launch', () => {
  it('tell how long each took since the one before that is known', () => {
    const steps = launchSteps({ createdAt: at(1), scheduledAt: at(1), startedAt: null, finishedAt: at(9) });
    expect(steps.map(({ name, tookMs }) => [name, tookMs])).toEqual([
      ['created', null],
      ['scheduled', 0],
      ['started', null],
      ['finished', 8000],
    ]);
  });
});

describe('the commands for a cluster', () => {
  const there = { namespace: 'jobs', name: 'etl-load-x1', startedAt: at(3) };
  it('ask for a Pod and its output', () => {
    expect(kubectlCommands({ kind: 'RUNNER', api: 'v1 Pod', ...there })).toEqual([
      'kubectl describe pod/etl-load-x1 --namespace jobs',
      'kubectl logs etl-load-x1 --container base --namespace jobs',
    ]);
  });
  it('ask for no output of what has not begun', () => {
    expect(kubectlCommands({ kind: 'POD', api: 'v1 Pod', ...there, startedAt: null })).toHaveLength(1);
  });
  it('name the kind of another object with its group', () => {
    const describeOf = (api: string | null) => kubectlCommands({ kind: 'RESOURCE', api, ...there });
    expect(describeOf('batch/v1 Job')).toEqual(['kubectl describe job.v1.batch/etl-load-x1 --namespace jobs']);
    expect(describeOf('v1 ConfigMap')).toEqual(['kubectl describe configmap/etl-load-x1 --namespace jobs']);
    expect(describeOf(null)).toEqual([]);
  });
  it('are none before there is an object', () => {
    expect(kubectlCommands({ kind: null, api: null, namespace: null, name: null, startedAt: null })).toEqual([]);
  });
});

describe('the events of a cluster', () => {
  it('are read as far as they can be', () => {
    const known = { type: 'Warning', reason: 'Failed', message: 'no image', count: 3, firstAt: at(1), lastAt: at(5) };
    expect(clusterEvents([known, { reason: 7 }, null, 'x'] as never)).toEqual([
      { isWarning: true, reason: 'Failed', message: 'no image', count: 3, at: at(5) },
      { isWarning: false, reason: '', message: '', count: 1, at: null },
    ]);
  });
});

describe('why a task is still starting', () => {
  it('is a few words where something is wrong, and nothing where it only takes a moment', () => {
    const words = {
      waiting: { QUOTA: 'quota is used up' },
      starting: { ErrImagePull: 'image cannot be pulled', ContainerCreating: '' },
    };
    const word = (kind: string, why?: string) => waitingWord({ kind, details: { why: why ?? null } } as never, words);
    expect(word('QUOTA', 'quota')).toBe('quota is used up');
    expect(word('OBJECT_STARTING', 'ErrImagePull')).toBe('image cannot be pulled');
    expect(word('OBJECT_STARTING', 'ContainerCreating')).toBe('');
    expect(word('OBJECT_STARTING', 'SomethingNew')).toBe('SomethingNew');
    expect(word('OBJECT_STARTING')).toBe('');
  });
});

describe('what is asked for', () => {
  it('is each row once for each of its events, and no more at once than the service answers', () => {
    const wishes = createReasonWishes();
    for (let n = 0; n <= MOST_AT_ONCE; n++) expect(wishes.add(`${n}`, 1)).toBe(true);
    expect(wishes.take()).toMatchObject({ ids: { length: MOST_AT_ONCE }, more: true });
    expect(wishes.take()).toEqual({ ids: [`${MOST_AT_ONCE}`], more: false });
    expect([wishes.add('0', 1), wishes.add('0', 2)]).toEqual([false, true]);
    expect(wishes.take()).toEqual({ ids: ['0'], more: false });
  });
  it('is known by its id', () => {
    const reason = { kind: 'QUOTA', message: 'full', details: {} } as const;
    const first = withReasons([], ['a', 'b'], [{ id: 'a', waitingReason: reason }, null]);
    expect([...first]).toEqual([
      ['a', reason],
      ['b', null],
    ]);
    expect(withReasons(first, ['a'], [{ id: 'a', waitingReason: null }]).get('a')).toBeNull();
  });
});

describe('every cause', () => {
  it.each(['en', 'zh'] as const)('has words in %s', (language) => {
    expect(TASK_CAUSES.filter((cause) => !(cause in causeWords[language].cause))).toEqual([]);
  });
});
