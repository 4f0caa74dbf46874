/**
 * When may a task run? One table for both evaluators: `decide` in TypeScript and `decideSql` in the statement that counts a finish
 * into its downstreams. Semantics: Airflow 3's TriggerRuleDep; a condition that settles a task early stands before the one that runs it.
 */
import { TRIGGER_RULES, type TriggerRule } from '#sdk/dag-spec.ts';

/**
 * The rule of a teardown, which nobody chooses: it runs when all is done, if one of its setups has succeeded. Its counters are of
 * another kind: `success`, `failed` (upstream_failed too) and `skipped` count its setups, `upstreamFailed` all other upstreams that ended.
 */
export const TEARDOWN_RULE = 'teardown';
export type Rule = TriggerRule | typeof TEARDOWN_RULE;
const ALL_RULES: readonly Rule[] = [...TRIGGER_RULES, TEARDOWN_RULE];

/** Upstream task instances of one task instance, by outcome. `failed` counts cancelled ones too. */
export interface UpstreamCounts {
  total: number;
  success: number;
  failed: number;
  upstreamFailed: number;
  skipped: number;
}

/** `ready`: may run now; the two states: settled without running; null: wait. */
export type Verdict = 'ready' | 'upstream_failed' | 'skipped' | null;

const CONDITIONS = {
  always: { js: () => true, sql: 'true' },
  allDone: { js: (c) => done(c) >= c.total, sql: '(success + failed + upstream_failed + skipped >= total)' },
  allSuccess: { js: (c) => c.success === c.total, sql: '(success = total)' },
  allSkipped: { js: (c) => c.skipped === c.total, sql: '(skipped = total)' },
  allFailed: { js: (c) => c.failed + c.upstreamFailed === c.total, sql: '(failed + upstream_failed = total)' },
  anyFailed: { js: (c) => c.failed + c.upstreamFailed > 0, sql: '(failed + upstream_failed > 0)' },
  anySuccess: { js: (c) => c.success > 0, sql: '(success > 0)' },
  anySkipped: { js: (c) => c.skipped > 0, sql: '(skipped > 0)' },
  noneFailed: { js: (c) => c.failed === 0, sql: '(failed = 0)' },
  anyRan: { js: (c) => c.success + c.failed > 0, sql: '(success + failed > 0)' },
} satisfies Record<string, { js: (c: UpstreamCounts) => boolean; sql: string }>;
type Condition = keyof typeof CONDITIONS;

/** First row whose conditions all hold decides; none: wait. A task without upstreams is always ready. */
const RULES: Record<Rule, [Verdict, ...Condition[]][]> = {
  all_success: [
    ['upstream_failed', 'anyFailed'],
    ['skipped', 'anySkipped'],
    ['ready', 'allSuccess'],
  ],
  all_failed: [
    ['skipped', 'anySuccess'],
    ['skipped', 'anySkipped'],
    ['ready', 'allFailed'],
  ],
  all_done: [['ready', 'allDone']],
  all_done_min_one_success: [
    ['skipped', 'anySkipped'],
    ['ready', 'allDone', 'anySuccess'],
    ['upstream_failed', 'allDone'],
  ],
  all_skipped: [
    ['skipped', 'anySuccess'],
    ['skipped', 'anyFailed'],
    ['ready', 'allSkipped'],
  ],
  one_success: [
    ['ready', 'anySuccess'],
    ['skipped', 'allSkipped'],
    ['upstream_failed', 'allDone'],
  ],
  one_failed: [
    ['ready', 'anyFailed'],
    ['skipped', 'allDone'],
  ],
  one_done: [
    ['ready', 'anyRan'],
    ['skipped', 'allDone'],
  ],
  none_failed: [
    ['upstream_failed', 'anyFailed'],
    ['ready', 'allDone'],
  ],
  none_failed_min_one_success: [
    ['upstream_failed', 'anyFailed'],
    ['skipped', 'allSkipped'],
    ['ready', 'allDone', 'anySuccess'],
  ],
  none_skipped: [
    ['skipped', 'anySkipped'],
    ['ready', 'allDone'],
  ],
  always: [['ready', 'always']],
  [TEARDOWN_RULE]: [
    ['ready', 'allDone', 'anySuccess'],
    ['skipped', 'allDone', 'anySkipped', 'noneFailed'],
    ['upstream_failed', 'allDone'],
  ],
};

function done(c: UpstreamCounts): number {
  return c.success + c.failed + c.upstreamFailed + c.skipped;
}

/** What the rule says for these counts. */
export function decide(rule: Rule, counts: UpstreamCounts): Verdict {
  if (counts.total === 0) return 'ready';
  for (const [verdict, ...conditions] of RULES[rule]) {
    if (conditions.every((name) => CONDITIONS[name].js(counts))) return verdict;
  }
  return null;
}

/** The number that statements carry for a rule. */
export const ruleCode = (rule: Rule): number => ALL_RULES.indexOf(rule);
export const ruleOf = (code: number): Rule => ALL_RULES[code] ?? 'all_success';

/**
 * The same table as an SQL expression over the columns `rule, total, success, failed, upstream_failed, skipped`; text or null.
 * Only for tasks with upstreams.
 */
export const decideSql = `case rule ${ALL_RULES.map((rule) => {
  const rows = RULES[rule].map(
    ([verdict, ...conditions]) =>
      `when ${conditions.map((name) => CONDITIONS[name].sql).join(' and ')} then '${verdict}'`,
  );
  return `when ${ruleCode(rule)} then case ${rows.join(' ')} end`;
}).join(' ')} end`;

/** True when the success of an upstream can never settle a task of this rule without running it. */
export const isSafeOnSuccess = (rule: Rule): boolean => !SETTLED_BY_SUCCESS.has(rule);
const SETTLED_BY_SUCCESS: ReadonlySet<Rule> = new Set(['all_failed', 'all_skipped', 'one_failed', TEARDOWN_RULE]);
