import { describe, expect, it } from 'vitest';
import { decide, decideSql, isSafeOnSuccess, ruleCode, type UpstreamCounts } from '../../../db/engine/trigger-rules.ts';
import { TRIGGER_RULES, type TriggerRule } from '../../../sdk/dag-spec.ts';
import { airflowVerdict } from '#db/replay/airflow-rules.ts';
import { createTestDatabase } from '../../helpers/database.ts';

/**
 * Two upstreams, each unfinished (.), succeeded (S), failed (F), with failed upstreams (U) or skipped (K): the task runs (R),
 * is settled as upstream_failed (U) or skipped (K), or waits (.).
 */
const TWO_UPSTREAMS = `
                             ..  S.  F.  U.  K.  SS  SF  SU  SK  FF  FU  FK  UU  UK  KK
all_success                  .   .   U   U   K   R   U   U   K   U   U   U   U   U   K
all_failed                   .   K   .   .   K   K   K   K   K   R   R   K   R   K   K
all_done                     .   .   .   .   .   R   R   R   R   R   R   R   R   R   R
all_done_min_one_success     .   .   .   .   K   R   R   R   K   U   U   K   U   K   K
all_skipped                  .   K   K   K   .   K   K   K   K   K   K   K   K   K   R
one_success                  .   R   .   .   .   R   R   R   R   U   U   U   U   U   K
one_failed                   .   .   R   R   .   K   R   R   K   R   R   R   R   R   K
one_done                     .   R   R   .   .   R   R   R   R   R   R   R   K   K   K
none_failed                  .   .   U   U   .   R   U   U   R   U   U   U   U   U   R
none_failed_min_one_success  .   .   U   U   .   R   U   U   R   U   U   U   U   U   K
none_skipped                 .   .   .   .   K   R   R   R   K   R   R   K   R   K   K
always                       R   R   R   R   R   R   R   R   R   R   R   R   R   R   R`;

const VERDICTS = { R: 'ready', U: 'upstream_failed', K: 'skipped', '.': null } as const;

const countsOf = (upstreams: string): UpstreamCounts => {
  const count = (letter: string) => [...upstreams].filter((one) => one === letter).length;
  return {
    total: upstreams.length,
    success: count('S'),
    failed: count('F'),
    upstreamFailed: count('U'),
    skipped: count('K'),
  };
};

/** Every way in which up to `most` upstreams may stand. */
function allCounts(most: number): UpstreamCounts[] {
  const found: UpstreamCounts[] = [];
  for (let total = 1; total <= most; total++)
    for (let success = 0; success <= total; success++)
      for (let failed = 0; success + failed <= total; failed++)
        for (let upstreamFailed = 0; success + failed + upstreamFailed <= total; upstreamFailed++)
          for (let skipped = 0; success + failed + upstreamFailed + skipped <= total; skipped++)
            found.push({ total, success, failed, upstreamFailed, skipped });
  return found;
}

const OUTCOMES = ['success', 'failed', 'upstreamFailed', 'skipped'] as const;
const EXHAUSTIVE = TRIGGER_RULES.flatMap((rule) => allCounts(5).map((counts) => ({ rule, counts })));
const database = await createTestDatabase();

describe('a trigger rule', () => {
  const [header = '', ...lines] = TWO_UPSTREAMS.trim().split('\n');
  const columns = header.trim().split(/\s+/);

  it.each(lines.map((line) => line.trim().split(/\s+/)))(
    '%s decides over two upstreams as Airflow does',
    (rule, ...cells) => {
      const expected = Object.fromEntries(columns.map((column, i) => [column, VERDICTS[cells[i] as 'R']]));
      const got = Object.fromEntries(columns.map((column) => [column, decide(rule as TriggerRule, countsOf(column))]));
      expect(got).toEqual(expected);
    },
  );

  it('has a line in the table for each of the twelve', () => {
    expect(lines.map((line) => line.trim().split(/\s+/)[0])).toEqual([...TRIGGER_RULES]);
  });

  it('agrees with Airflow’s conditions on every count of up to five upstreams', () => {
    const wrong = EXHAUSTIVE.filter(({ rule, counts }) => decide(rule, counts) !== airflowVerdict(rule, counts));
    expect(wrong).toEqual([]);
    expect(EXHAUSTIVE).toHaveLength(12 * 251);
  });

  it('lets a task without upstreams run', () => {
    for (const rule of TRIGGER_RULES) expect(decide(rule, countsOf(''))).toBe('ready');
  });

  it('says the same in SQL as in TypeScript', async () => {
    const column = (pick: (counts: UpstreamCounts) => number) => EXHAUSTIVE.map(({ counts }) => pick(counts));
    const { rows } = await database.pool.query<{ verdict: string | null }>(
      `select ${decideSql} as verdict
       from unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[]) with ordinality
         t(rule, total, success, failed, upstream_failed, skipped, n) order by n`,
      [
        EXHAUSTIVE.map(({ rule }) => ruleCode(rule)),
        column((c) => c.total),
        column((c) => c.success),
        column((c) => c.failed),
        column((c) => c.upstreamFailed),
        column((c) => c.skipped),
      ],
    );
    const wrong = EXHAUSTIVE.filter(({ rule, counts }, i) => rows[i]?.verdict !== decide(rule, counts));
    expect(wrong).toEqual([]);
    expect(rows).toHaveLength(EXHAUSTIVE.length);
  });

  it('never takes back what it decided when further upstreams finish', () => {
    const flips = EXHAUSTIVE.flatMap(({ rule, counts }) => {
      const before = decide(rule, counts);
      const isOpen = counts.success + counts.failed + counts.upstreamFailed + counts.skipped < counts.total;
      if (before !== 'ready' || !isOpen) return [];
      return OUTCOMES.map((outcome) => ({ ...counts, [outcome]: counts[outcome] + 1 }))
        .filter((after) => decide(rule, after) !== 'ready')
        .map((after) => ({ rule, counts, after }));
    });
    expect(flips).toEqual([]);
  });
});

/** Every finish of an upstream at which a waiting task is decided. */
const DECISIONS = EXHAUSTIVE.flatMap(({ rule, counts }) => {
  const isOpen = counts.success + counts.failed + counts.upstreamFailed + counts.skipped < counts.total;
  if (!isOpen || decide(rule, counts) !== null) return [];
  return OUTCOMES.map((outcome) => {
    const after = { ...counts, [outcome]: counts[outcome] + 1 };
    return { rule, outcome, after, verdict: decide(rule, after) };
  });
});

describe('what the flush assumes of a rule', () => {
  it('a rule that is safe on success is never settled by one', () => {
    const settled = new Set(
      DECISIONS.filter(({ outcome, verdict }) => outcome === 'success' && verdict !== null && verdict !== 'ready').map(
        ({ rule }) => rule,
      ),
    );
    expect(TRIGGER_RULES.filter((rule) => !isSafeOnSuccess(rule))).toEqual(
      TRIGGER_RULES.filter((rule) => settled.has(rule)),
    );
  });
});
