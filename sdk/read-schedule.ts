/** From the forms of a schedule that people write to its canonical one. */
import { readAssets, assetsSchema } from './asset-expression.ts';
import type { ScheduleSpec, TimeSchedule } from './dag-spec.ts';
import { parseDuration } from './duration.ts';
import { didYouMean } from './near-match.ts';
import { CRON_PRESETS, cronOf } from './schedule.ts';
import { durationSchema, isPlainObject, show, TEN_YEARS, type JsonSchema, type Plain } from './spec-fields.ts';
import { readInstant } from './zoned-time.ts';

const PRESETS = [...Object.keys(CRON_PRESETS), '@once', '@continuous'];
const FORMS =
  `Write a cron expression of five or six fields or a list of them, a preset (${PRESETS.join(', ')}), { every: '15m' }, ` +
  `{ dates: ['2026-01-31'] }, { assets: { all: ['a', 'b'] } }, or null.`;
const MAX_CRONS = 50;
const MAX_DATES = 10_000;

/** The schedule, or a sentence on what is wrong with it. */
export function readSchedule(value: unknown, timezone: string): ScheduleSpec | null | string {
  if (value === null || value === undefined) return null;
  if (!isPlainObject(value) || !(value['kind'] === 'assets' || 'assets' in value)) return readTime(value, timezone);
  const { kind: _kind, assets, expression = assets, or = null, ...unknown } = value;
  const [stranger] = Object.keys(unknown);
  if (stranger !== undefined) return `Unknown key '${stranger}' beside the assets: only 'or' may stand there.`;
  const read = readAssets(expression);
  if (typeof read === 'string') return read;
  const time = or === null ? null : readTime(or, timezone);
  if (typeof time === 'string') return `or: ${time}`;
  if (time?.kind === 'continuous') return `'@continuous' leaves no time for assets. Use one of the two.`;
  return { kind: 'assets', expression: read, or: time };
}

function readTime(value: unknown, timezone: string): TimeSchedule | string {
  if (typeof value === 'string') return readCrons([value], timezone);
  if (Array.isArray(value)) return readCrons(value, timezone);
  if (!isPlainObject(value)) return `${show(value)} is not a schedule. ${FORMS}`;
  return (
    readObject(value, timezone) ??
    `An object with ${Object.keys(value).join(', ') || 'no keys'} is not a schedule. ${FORMS}`
  );
}

/** Null: it has no known form. */
function readObject(value: Plain, timezone: string): TimeSchedule | string | null {
  const { kind, ...rest } = value;
  const form = `${String(kind ?? '')} ${Object.keys(rest).join()}`;
  switch (form) {
    case 'once ':
      return { kind: 'once' };
    case 'continuous ':
      return { kind: 'continuous' };
    case ' every':
      return readInterval(rest['every']);
    case 'interval seconds':
      return readInterval(rest['seconds']);
    case ' dates':
    case 'dates dates':
      return readDates(rest['dates'], timezone);
    case 'cron expressions':
      return readCrons(rest['expressions'], timezone);
    case 'cron expression':
      return readCrons([rest['expression']], timezone);
    default:
      return null;
  }
}

function readInterval(value: unknown): TimeSchedule | string {
  const seconds = parseDuration(value);
  if (seconds === null || seconds < 1 || seconds > TEN_YEARS || !Number.isInteger(seconds))
    return `${show(value)} is not an interval. Give whole seconds, at least 1 and at most ten years, or '15m', '2h', '1d'.`;
  return { kind: 'interval', seconds };
}

function readDates(value: unknown, timezone: string): TimeSchedule | string {
  if (!Array.isArray(value) || value.length === 0) return `dates: ${show(value)}; give at least one date.`;
  if (value.length > MAX_DATES) return `dates: ${value.length} dates; at most ${MAX_DATES} are allowed.`;
  const dates: string[] = [];
  for (const [index, written] of value.entries()) {
    const instant = typeof written === 'string' ? readInstant(written, timezone) : null;
    if (instant === null)
      return `dates[${index}]: ${show(written)} is not a date. Write '2026-01-31' or '2026-01-31T06:00:00' (in the DAG's time zone), or add Z or an offset.`;
    dates.push(instant);
  }
  return { kind: 'dates', dates: [...new Set(dates)].sort() };
}

function readCrons(value: unknown, timezone: string): TimeSchedule | string {
  if (!Array.isArray(value) || value.length === 0) return `${show(value)} is not a list of cron expressions. ${FORMS}`;
  if (value.length > MAX_CRONS) return `${value.length} cron expressions; at most ${MAX_CRONS} are allowed.`;
  const expressions: string[] = [];
  for (const [index, written] of value.entries()) {
    const where = value.length > 1 ? `[${index}]: ` : '';
    if (typeof written !== 'string') return `${where}${show(written)} is not a cron expression. ${FORMS}`;
    const expression = written.trim().replace(/\s+/g, ' ');
    if (expression === '@once' || expression === '@continuous') {
      if (value.length > 1) return `${where}'${expression}' cannot be combined with others.`;
      return { kind: expression === '@once' ? 'once' : 'continuous' };
    }
    const problem = cronProblem(expression, timezone);
    if (problem) return where + problem;
    expressions.push(expression);
  }
  return { kind: 'cron', expressions: [...new Set(expressions)] };
}

function cronProblem(expression: string, timezone: string): string | null {
  if (expression.startsWith('@') && !Object.hasOwn(CRON_PRESETS, expression))
    return `Unknown preset '${expression}'.${didYouMean(expression, PRESETS)} ${FORMS}`;
  try {
    return cronOf(expression, timezone).nextRun(new Date(0))
      ? null
      : `'${expression}' never fires. Check the day and month.`;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const reason = message.replace(/^(CronPattern|Cron[A-Za-z]*): /, '');
    return `'${expression}' is not a cron expression: ${reason} ${FORMS}`;
  }
}

const object = (properties: JsonSchema, required = Object.keys(properties)): JsonSchema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const list = (description: string): JsonSchema => ({
  type: 'array',
  items: { type: 'string' },
  minItems: 1,
  description,
});

const timeForms: JsonSchema[] = [
  { type: 'string', examples: ['@daily', '30 6 * * MON-FRI', '@once', '@continuous'] },
  list('Cron expressions: fires whenever one of them does'),
  object({ every: durationSchema }),
  object({ dates: list('The times of the runs') }),
  object({ kind: { enum: ['once', 'continuous'] } }),
  object({ kind: { const: 'cron' }, expressions: list('Cron expressions') }),
  object({ kind: { const: 'cron' }, expression: { type: 'string' } }),
  object({ kind: { const: 'interval' }, seconds: { type: 'integer', minimum: 1, maximum: TEN_YEARS } }),
  object({ kind: { const: 'dates' }, dates: list('The times of the runs') }),
];
const or: JsonSchema = { description: 'Runs also at these times', anyOf: [{ type: 'null' }, ...timeForms] };

export const scheduleSchema: JsonSchema = {
  description: 'When runs are made',
  anyOf: [
    { type: 'null' },
    ...timeForms,
    object({ assets: assetsSchema, or }, ['assets']),
    object({ kind: { const: 'assets' }, expression: assetsSchema, or }, ['kind', 'expression']),
  ],
};
