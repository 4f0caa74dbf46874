/** Schedules: the forms people write, and the cron expressions behind the presets. */
import { Cron } from 'croner';
import type { ScheduleSpec } from './dag-spec.ts';
import { parseDuration } from './duration.ts';
import { didYouMean } from './near-match.ts';
import { durationSchema, isPlainObject, show, type Field } from './spec-fields.ts';

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

const FORMS = `Write a cron expression of five or six fields, a preset (${Object.keys(CRON_PRESETS).join(', ')}), { every: '15m' }, or null.`;

function readCron(expression: string, timezone: string): ScheduleSpec | string {
  const trimmed = expression.trim().replace(/\s+/g, ' ');
  if (trimmed.startsWith('@') && !Object.hasOwn(CRON_PRESETS, trimmed))
    return `Unknown preset '${trimmed}'.${didYouMean(trimmed, Object.keys(CRON_PRESETS))} ${FORMS}`;
  try {
    if (!cronOf(trimmed, timezone).nextRun(new Date(0))) return `'${trimmed}' never fires. Check the day and month.`;
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replace(
      /^(CronPattern|Cron[A-Za-z]*): /,
      '',
    );
    return `'${trimmed}' is not a cron expression: ${reason} ${FORMS}`;
  }
  return { kind: 'cron', expression: trimmed };
}

function readInterval(value: unknown): ScheduleSpec | string {
  const seconds = parseDuration(value);
  if (seconds === null || seconds < 1 || !Number.isInteger(seconds))
    return `${show(value)} is not an interval. Give whole seconds, at least 1, or '15m', '2h', '1d'.`;
  return { kind: 'interval', seconds };
}

/** The schedule, or a sentence on what is wrong with it. */
export function readSchedule(value: unknown, timezone: string): ScheduleSpec | null | string {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return readCron(value, timezone);
  if (!isPlainObject(value)) return `${show(value)} is not a schedule. ${FORMS}`;
  const keys = Object.keys(value).sort().join();
  if (keys === 'every') return readInterval(value['every']);
  if (keys === 'kind,seconds' && value['kind'] === 'interval') return readInterval(value['seconds']);
  if (keys === 'expression,kind' && value['kind'] === 'cron' && typeof value['expression'] === 'string')
    return readCron(value['expression'], timezone);
  return `An object with ${keys || 'no keys'} is not a schedule. ${FORMS}`;
}

export const scheduleSchema: Field['schema'] = {
  description: 'When runs are made',
  anyOf: [
    { type: 'null' },
    { type: 'string', examples: ['@daily', '30 6 * * MON-FRI'] },
    { type: 'object', properties: { every: durationSchema }, required: ['every'], additionalProperties: false },
    {
      type: 'object',
      properties: { kind: { const: 'cron' }, expression: { type: 'string' } },
      required: ['kind', 'expression'],
      additionalProperties: false,
    },
    {
      type: 'object',
      properties: { kind: { const: 'interval' }, seconds: { type: 'integer', minimum: 1 } },
      required: ['kind', 'seconds'],
      additionalProperties: false,
    },
  ],
};
