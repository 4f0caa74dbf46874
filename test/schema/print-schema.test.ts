import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { expect, it } from 'vitest';
import { schema } from '#schema/index.ts';

it('schema.graphql is what the code says: npm run generate', () => {
  const committed = readFileSync(join(import.meta.dirname, '../../schema/schema.graphql'), 'utf8');
  expect(committed.split('\n').slice(2).join('\n')).toBe(`${printSchema(lexicographicSortSchema(schema))}\n`);
});
