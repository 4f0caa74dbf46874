/** Fields that say how long runs and what is theirs are kept. */
import type { RetentionSpec } from './dag-spec.ts';
import { parseDuration } from './duration.ts';
import { objectOrNull } from './limit-fields.ts';
import { bytes, field, integer, type Fields } from './spec-fields.ts';

/** Shorter, and what has just ended could not be looked at. */
const LEAST_SECONDS = 3600;

const kept = field<number | 'forever'>(
  {
    anyOf: [
      { type: 'number', minimum: LEAST_SECONDS },
      { type: 'string', minLength: 2 },
    ],
  },
  `a time of at least an hour, such as '90d', or 'forever'`,
  (value) => {
    if (value === 'forever') return value;
    const seconds = parseDuration(value);
    return seconds === null || seconds < LEAST_SECONDS ? undefined : seconds;
  },
);

const fields = {
  runs: kept.or(null),
  keepLast: integer(0, 100_000).or(0),
  logs: kept.or(null),
  results: kept.or(null),
  logBytes: bytes.or(null),
} satisfies Fields;

export const retention = objectOrNull<RetentionSpec>(fields, `{ runs: '90d', keepLast: 50, logs: '30d' }`);
