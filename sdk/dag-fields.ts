/** The fields of a DAG beside its tasks, and its limits. */
import { OVERLAPS } from './dag-spec.ts';
import { concurrency } from './limit-fields.ts';
import { dagNotify, deadlines } from './notify.ts';
import { scheduleSchema } from './read-schedule.ts';
import { retention } from './retention-fields.ts';
import {
  boolean,
  duration,
  id,
  integer,
  isPlainObject,
  json,
  oneOf,
  show,
  text,
  textList,
  type Field,
  type Fields,
} from './spec-fields.ts';

export const MAX_TASKS = 50_000;
export const MAX_EDGES = 500_000;
/** Characters of JSON. With all defaults written out a task takes about 500, so this is room for MAX_TASKS of them. */
export const MAX_SPEC_LENGTH = 32 * 2 ** 20;

const specVersion: Field<1> = {
  schema: { const: 1 },
  fallback: () => 1,
  read(value, path, report) {
    if (value !== 1)
      report(path(), `${show(value)} is not a known version of the spec. This Millrace reads version 1.`);
    return 1;
  },
};

/** Checked with the time zone in hand, by read-timing. */
const schedule: Field = { schema: scheduleSchema, fallback: () => null, read: (value) => value };

const params: Field = {
  schema: {
    description: 'JSON Schema (2020-12) of the params of a run: an object with defaults',
    anyOf: [{ type: 'null' }, { type: 'object', properties: { type: { const: 'object' } }, required: ['type'] }],
  },
  fallback: () => null,
  read(value, path, report) {
    if (value === null) return null;
    if (isPlainObject(value)) return json.read(value, path, report);
    report(path(), `${show(value)} is not a JSON Schema.`);
    return null;
  },
};

export const DAG_FIELDS: Fields = {
  specVersion,
  dagId: id,
  description: text(2000).or(null),
  docs: text(262_144).or(null),
  owner: text(200).or(null),
  tags: textList(text(100), 64),
  schedule,
  timezone: text(100).or('UTC'),
  startDate: text(40).or(null),
  endDate: text(40).or(null),
  catchup: boolean.or(false),
  dataIntervals: boolean.or(false),
  overlap: oneOf(OVERLAPS).or('allow'),
  maxActiveRuns: integer(1, 10_000).or(16),
  maxActiveTasks: integer(1, 100_000).or(16),
  maxConsecutiveFailedRuns: integer(0, 1000).or(0),
  dagrunTimeout: duration(1).or(null),
  failFast: boolean.or(false),
  maxActiveTasksPerDag: integer(1, 1_000_000).or(null),
  concurrency,
  params,
  pausedOnCreation: boolean.or(false),
  retention,
  notify: dagNotify,
  deadline: deadlines,
};
