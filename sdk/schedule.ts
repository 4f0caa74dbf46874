/** Schedules: cron expressions, the presets that stand for some, and how a schedule is shown. */
import { Cron } from 'croner';
import type { AssetExpression, ScheduleSpec, TimeSchedule } from './dag-spec.ts';

export const CRON_PRESETS: { readonly [preset: string]: string } = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@quarterly': '0 0 1 */3 *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

const MAX_CACHED = 20_000;
const crons = new Map<string, Cron>();

/** The parsed expression; throws when it is none. Parsing costs more than asking, so the last ones are kept. */
export function cronOf(expression: string, timezone: string): Cron {
  const key = `${timezone} ${expression}`;
  const known = crons.get(key);
  if (known) return known;
  const cron = new Cron(CRON_PRESETS[expression] ?? expression, {
    timezone,
    mode: '5-or-6-parts',
    sloppyRanges: true,
    // As Vixie cron: '0 2,14 * * *' neither loses the run in a spring gap nor repeats it in autumn.
    fixedTimeRule: 'no-wildcard',
    paused: true,
  });
  if (crons.size >= MAX_CACHED) crons.clear();
  crons.set(key, cron);
  return cron;
}

/** The part that the clock decides; null: there is none. */
export function timeScheduleOf(schedule: ScheduleSpec | null): TimeSchedule | null {
  return schedule?.kind === 'assets' ? schedule.or : schedule;
}

/** In one line, for people. */
export function describeSchedule(schedule: ScheduleSpec): string {
  switch (schedule.kind) {
    case 'once':
    case 'continuous':
      return `@${schedule.kind}`;
    case 'cron':
      return schedule.expressions.join(' | ');
    case 'interval':
      return `every ${schedule.seconds}s`;
    case 'dates':
      return schedule.dates.length === 1 ? `at ${schedule.dates[0]}` : `at ${schedule.dates.length} dates`;
    case 'assets':
      return `assets ${describeAssets(schedule.expression)}${schedule.or ? ` or ${describeSchedule(schedule.or)}` : ''}`;
  }
}

/** `a & (b | c)`. */
export function describeAssets(expression: AssetExpression): string {
  if ('asset' in expression) return expression.asset;
  const [parts, sign] = 'all' in expression ? [expression.all, ' & '] : [expression.any, ' | '];
  return parts.map((part) => ('asset' in part ? describeAssets(part) : `(${describeAssets(part)})`)).join(sign);
}
