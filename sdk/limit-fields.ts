/** Fields that say how much may run at once. */
import {
  CONCURRENCY_STRATEGIES,
  type ConcurrencyKeySpec,
  type ConcurrencySpec,
  type RateLimitSpec,
} from './dag-spec.ts';
import {
  createFieldsReader,
  duration,
  fieldsSchema,
  id,
  integer,
  isPlainObject,
  oneOf,
  show,
  textList,
  type Field,
  type Fields,
} from './spec-fields.ts';

/** No code: a name of what is looked up, then names of members. */
export const KEY_PATH_PATTERN = /^(params|conf)(\.[A-Za-z0-9_-]{1,100}){1,8}$/;

const path: Field<string> = {
  schema: { type: 'string', pattern: KEY_PATH_PATTERN.source },
  read(value, at, report) {
    if (typeof value === 'string' && KEY_PATH_PATTERN.test(value)) return value;
    report(at(), `${show(value)} is not a path. Write 'params.customer' or 'conf.region.name'.`);
    return '';
  },
};
const paths = textList(path, 8);
const requiredPaths: Field<string[]> = {
  schema: paths.schema,
  read(value, at, report) {
    const read = paths.read(value, at, report);
    if (read.length === 0) report(at(), `A key needs at least one path, such as 'params.customer'.`);
    return read;
  },
};

/** An object of these fields, or null, which is also what an absent one becomes. */
export function objectOrNull<T>(fields: Fields, example: string): Field<T | null> {
  const reader = createFieldsReader(fields);
  return {
    schema: { anyOf: [fieldsSchema(fields), { type: 'null' }] },
    fallback: () => null,
    read(value, at, report) {
      if (value === null) return null;
      if (isPlainObject(value)) return reader(value, at(), report) as T;
      report(at(), `${show(value)} is not of the form ${example}.`);
      return null;
    },
  };
}

const keyed = { key: requiredPaths, limit: integer(1, 1_000_000).or(1) } satisfies Fields;

export const concurrencyKey = objectOrNull<ConcurrencyKeySpec>(keyed, `{ key: ['params.customer'], limit: 1 }`);
export const rateLimit = objectOrNull<RateLimitSpec>(
  { limit: integer(1, 1_000_000), per: duration(0.001), key: paths, name: id.or(null) },
  `{ limit: 10, per: '1m' }`,
);
export const concurrency = objectOrNull<ConcurrencySpec>(
  { ...keyed, strategy: oneOf(CONCURRENCY_STRATEGIES).or('queue') },
  `{ key: ['params.customer'], limit: 1, strategy: 'queue' }`,
);
