import { GraphQLError } from 'graphql';
import { builder } from './builder.ts';

const refuse = (message: string) => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });

const ISO_8601 = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d))?$/i;

function parseDateTime(value: unknown): Date {
  const date = typeof value === 'string' && ISO_8601.test(value) ? new Date(value) : undefined;
  if (!date || Number.isNaN(date.getTime()))
    throw refuse(`DateTime: ${JSON.stringify(value)} is not ISO 8601 with a time zone, such as 2026-01-31T08:00:00Z.`);
  return date;
}

builder.scalarType('DateTime', {
  description: 'An instant, ISO 8601 in UTC with milliseconds: `2026-01-31T08:00:00.000Z`. Any offset is accepted.',
  serialize: (value) => value.toISOString(),
  parseValue: parseDateTime,
});

builder.scalarType('Duration', {
  description: 'A length of time in seconds, with fractions.',
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
      throw refuse(`Duration: ${JSON.stringify(value)} is not a number of seconds.`);
    return value;
  },
});

/** Levels of lists and objects. What walks a value level by level, here and in the database, has a stack that ends. */
const MOST_LEVELS = 1_000;

function parseJsonValue(value: unknown): unknown {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []));
    if (depth >= MOST_LEVELS && level.length > 0)
      throw refuse(`JSON: the value has more than ${MOST_LEVELS} levels of lists and objects within each other.`);
  }
  return value;
}

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: parseJsonValue,
});
