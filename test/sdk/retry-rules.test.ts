import { describe, expect, it } from 'vitest';
import { dag } from '#sdk/index.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

const rulesOf = (retryRules: unknown) =>
  validateDagSpec({ dagId: 'd', tasks: [{ taskId: 'a', kind: 'bash', command: 'true', retryRules }] });

describe('retryRules', () => {
  it('are written with single values and durations, and read as lists and seconds', () => {
    const result = rulesOf([
      { exitCode: 75, exception: 'TimeoutError', message: '^HTTP 5', action: 'retry', delay: '2m' },
    ]);
    const rule = {
      exitCode: [75],
      exception: ['TimeoutError'],
      message: '^HTTP 5',
      cause: [],
      action: 'retry',
      delay: 120,
    };
    expect(result).toMatchObject({ ok: true, spec: { tasks: [{ retryRules: [rule], infraRetries: 3 }] } });
    expect(rulesOf([rule])).toMatchObject({ ok: true, spec: { tasks: [{ retryRules: [rule] }] } });
  });

  it.each<[unknown, string, string]>([
    ['x', 'tasks[0].retryRules', `'x' is not a list of rules.`],
    [['x'], 'tasks[0].retryRules[0]', `'x' is not a rule. Write { action, and what it is about }.`],
    [[{}], 'tasks[0].retryRules[0].action', `'action' is missing.`],
    [[{ action: 'again' }], 'tasks[0].retryRules[0].action', `'again' is not one of retry, fail, skip.`],
    [
      [{ action: 'fail', exitCode: [1, 256] }],
      'tasks[0].retryRules[0].exitCode[1]',
      '256 is not a whole number from 0 to 255.',
    ],
    [
      [{ action: 'fail', exitcode: 1 }],
      'tasks[0].retryRules[0].exitcode',
      `Unknown key 'exitcode'. Did you mean 'exitCode'?`,
    ],
    [[{ action: 'fail', delay: 5 }], 'tasks[0].retryRules[0].delay', `A delay goes with the action 'retry' only.`],
    [
      [{ action: 'fail', message: '(a' }],
      'tasks[0].retryRules[0].message',
      `'(a' cannot be used as a regular expression. There is a '(' without its ')'.`,
    ],
    [
      [{ action: 'fail', exception: 'not a name' }],
      'tasks[0].retryRules[0].exception',
      `'not a name' is not the name of a class, such as 'ValueError' or 'requests.exceptions.Timeout'.`,
    ],
  ])('%j is refused', (rules, path, message) => {
    expect(rulesOf(rules)).toEqual({ ok: false, issues: expect.arrayContaining([{ path, message }]) });
  });

  it('are given to all tasks of a DAG, or to one of them', () => {
    const retryRules = [{ cause: 'oom_killed', action: 'fail' }] as const;
    const made = dag('d', { retryRules, infraRetries: 5 }, ({ bash }) => {
      bash('a', { command: 'true' });
      bash('b', { command: 'true', retryRules: [], infraRetries: 0 });
    });
    const rule = { cause: ['oom_killed'], action: 'fail' };
    expect(validateDagSpec(made.spec)).toMatchObject({
      ok: true,
      spec: {
        tasks: [
          { retryRules: [rule], infraRetries: 5 },
          { retryRules: [], infraRetries: 0 },
        ],
      },
    });
  });
});
