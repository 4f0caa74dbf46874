import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRetry, type Failure, type RetrySpec } from '#db/engine/retry-policy.ts';
import type { RetryRule } from '#sdk/retry-rules.ts';
import { INFRA_CAUSES, type TaskCause } from '#sdk/states.ts';

const specOf = (more: Partial<RetrySpec> = {}): RetrySpec => ({
  retryDelay: 10,
  retryBackoff: 1,
  maxRetryDelay: null,
  retryRules: [],
  infraRetries: 3,
  ...more,
});
const ruleOf = (more: Partial<RetryRule>): RetryRule => ({
  exitCode: [],
  exception: [],
  message: null,
  cause: [],
  action: 'retry',
  delay: null,
  ...more,
});
const failureOf = (more: Partial<Failure> = {}): Failure => ({
  cause: 'exit_code',
  exitCode: 1,
  message: 'Exit code 1.',
  exceptions: [],
  retryable: true,
  ...more,
});
const first = { tryNumber: 1, maxTries: 3, infraRetries: 0 };
const decide = (rules: Partial<RetryRule>[], failure: Partial<Failure> = {}, tries = first) =>
  decideRetry(specOf({ retryRules: rules.map(ruleOf) }), failureOf(failure), tries, 'run.0.-1');

describe('rules', () => {
  it.each<[Partial<RetryRule>, Partial<Failure>, boolean]>([
    [{}, {}, true],
    [{ exitCode: [1, 2] }, { exitCode: 2 }, true],
    [{ exitCode: [1, 2] }, { exitCode: 3 }, false],
    [{ exitCode: [1] }, { exitCode: null }, false],
    [{ exception: ['Timeout'] }, { exceptions: ['requests.exceptions.Timeout', 'OSError'] }, true],
    [{ exception: ['exceptions.Timeout'] }, { exceptions: ['requests.exceptions.Timeout'] }, true],
    [{ exception: ['OSError'] }, { exceptions: ['requests.exceptions.Timeout', 'OSError'] }, true],
    [{ exception: ['imeout'] }, { exceptions: ['requests.exceptions.Timeout'] }, false],
    [{ exception: ['requests.exceptions.Timeout'] }, { exceptions: ['Timeout'] }, false],
    [{ message: 'rate.?limit|429' }, { message: 'HTTP 429' }, true],
    [{ message: '^HTTP 5\\d\\d' }, { message: 'an HTTP 500' }, false],
    [{ message: '.' }, { message: null }, false],
    [{ cause: ['timeout', 'oom_killed'] }, { cause: 'oom_killed' }, true],
    [{ cause: ['timeout'] }, { cause: 'exit_code' }, false],
    [{ cause: ['exit_code'], exitCode: [1], message: 'code' }, {}, true],
    [{ cause: ['exit_code'], exitCode: [2], message: 'code' }, {}, false],
  ])('%j for %j: %s', (rule, failure, isMet) => {
    expect(decide([{ ...rule, action: 'skip' }], failure).outcome).toBe(isMet ? 'skipped' : 'up_for_retry');
  });

  it('the first that holds decides, and is named', () => {
    const rules = [{ exitCode: [7] }, { exitCode: [1], delay: 60 }, { action: 'fail' as const }];
    expect(decide(rules)).toEqual({ outcome: 'up_for_retry', delay: 60, isExtra: false, rule: 1 });
    expect(decide(rules, { exitCode: 2 })).toEqual({ outcome: 'failed', rule: 2 });
  });

  it('no rule gives a try more than the task has, or one that the task itself calls useless', () => {
    expect(decide([{}], {}, { ...first, tryNumber: 3 }).outcome).toBe('failed');
    expect(decide([{}], { retryable: false }).outcome).toBe('failed');
  });

  it('a cancelled task is cancelled, whatever the rules say', () => {
    expect(decide([{ action: 'skip' }], { cause: 'cancelled', retryable: false })).toEqual({
      outcome: 'failed',
      rule: null,
    });
  });

  it('a rule without a delay waits as the task does', () => {
    expect(decide([{ exitCode: [1] }])).toMatchObject({ delay: 10 });
  });
});

const anyRule = fc.record({
  exitCode: fc.subarray([0, 1, 2]),
  exception: fc.subarray(['A', 'm.A', 'B']),
  message: fc.option(fc.constantFrom('x', 'y$', '^x')),
  cause: fc.subarray<TaskCause>(['exit_code', 'exception', 'worker_lost', 'lease_expired']),
  action: fc.constantFrom('retry' as const, 'fail' as const, 'skip' as const),
  delay: fc.option(fc.nat(1000)),
});
const anyFailure = fc.record({
  cause: fc.constantFrom<TaskCause>('exit_code', 'exception', 'worker_lost', 'lease_expired', 'timeout'),
  exitCode: fc.option(fc.constantFrom(0, 1, 2)),
  message: fc.option(fc.constantFrom('x', 'y', 'xy')),
  exceptions: fc.subarray(['A', 'm.A', 'm.C', 'B']),
  retryable: fc.boolean(),
});
const anySpec = fc.record({
  retryDelay: fc.nat(1000),
  retryBackoff: fc.constantFrom(1, 2),
  maxRetryDelay: fc.option(fc.nat(100_000)),
  retryRules: fc.array(anyRule, { maxLength: 4 }),
  infraRetries: fc.nat(4),
});

/** What docs/retries.md says, said again. */
function expectedRule(rules: RetryRule[], failure: Failure): RetryRule | undefined {
  for (const rule of rules) {
    if (rule.exitCode.length > 0 && (failure.exitCode === null || !rule.exitCode.includes(failure.exitCode))) continue;
    if (rule.cause.length > 0 && !rule.cause.includes(failure.cause)) continue;
    const named = new Set(failure.exceptions.flatMap((name) => [name, name.split('.').at(-1)]));
    if (rule.exception.length > 0 && !rule.exception.some((name) => named.has(name))) continue;
    if (rule.message !== null && !new RegExp(rule.message).test(failure.message ?? '')) continue;
    return rule;
  }
  return undefined;
}

describe('a sequence of failures', () => {
  it('ends as its rules say, and gets exactly the tries that the two budgets hold', () => {
    fc.assert(
      fc.property(
        anySpec,
        fc.nat(4),
        fc.array(anyFailure, { minLength: 1, maxLength: 12 }),
        (spec, retries, failures) => {
          let tries = { tryNumber: 1, maxTries: retries + 1, infraRetries: 0 };
          // The obvious bookkeeping: what each kind has left
          const left = { own: retries, infra: spec.infraRetries };
          for (const failure of failures) {
            const rule = expectedRule(spec.retryRules, failure);
            const isInfra = (INFRA_CAUSES as readonly string[]).includes(failure.cause);
            const budget = isInfra && left.infra > 0 ? 'infra' : left.own > 0 ? 'own' : null;
            const wanted =
              rule?.action === 'skip'
                ? 'skipped'
                : rule?.action === 'fail' || !failure.retryable || !budget
                  ? 'failed'
                  : 'up_for_retry';
            const decision = decideRetry(spec, failure, tries, 'seed');
            expect(decision.outcome).toBe(wanted);
            expect(decideRetry(spec, failure, tries, 'seed')).toEqual(decision);
            if (decision.outcome !== 'up_for_retry' || !budget) return;
            expect(decision.isExtra).toBe(budget === 'infra');
            if (rule?.delay != null) expect(decision.delay).toBe(rule.delay);
            expect(decision.delay).toBeGreaterThanOrEqual(0);
            expect(decision.delay).toBeLessThanOrEqual(86_400);
            left[budget]--;
            const extra = Number(decision.isExtra);
            tries = {
              tryNumber: tries.tryNumber + 1,
              maxTries: tries.maxTries + extra,
              infraRetries: tries.infraRetries + extra,
            };
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('waits at most five minutes after a failure of the infrastructure, however long the task waits', () => {
    const delays = [0, 1, 2, 9].map((infraRetries) => {
      const spec = specOf({ retryDelay: 3600, infraRetries: 10 });
      return decideRetry(spec, failureOf({ cause: 'worker_lost' }), { ...first, infraRetries }, 's');
    });
    expect(delays.map((one) => one.outcome === 'up_for_retry' && Math.floor(one.delay))).toEqual([
      expect.any(Number),
      expect.any(Number),
      expect.any(Number),
      300,
    ]);
    const [one, two, three] = delays.map((decision) => ('delay' in decision ? decision.delay : NaN));
    expect([one! >= 5 && one! < 10, two! >= 10 && two! < 20, three! >= 20 && three! < 40]).toEqual([true, true, true]);
  });
});
