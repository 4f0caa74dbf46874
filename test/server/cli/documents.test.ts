import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const schema = buildSchema(readFileSync(join(root, 'schema/schema.graphql'), 'utf8'));
const DOCUMENT = /= (?:\/\* GraphQL \*\/ )?`(\s*(?:query|mutation|subscription) [^`]*)`/g;

const CONSTANT = /const (\w+) = (?:\/\* GraphQL \*\/ )?`([^`]*)`/g;

const constantsOf = (source: string): [string, string][] =>
  [...source.matchAll(CONSTANT)].map(([, name = '', text = '']) => [name, text]);
const shared = constantsOf(readFileSync(join(root, 'server/cli/outcome.ts'), 'utf8'));

/** With the fragments of its file, and those that commands share, in the places where it names them. */
const expand = (text: string, constants: ReadonlyMap<string, string>): string =>
  text.replace(/\$\{(\w+)\}/g, (_, name: string) => expand(constants.get(name) ?? `unknown: ${name}`, constants));

const documentsOf = (source: string): string[] => {
  const constants = new Map([...shared, ...constantsOf(source)]);
  return [...source.matchAll(DOCUMENT)].map(([, text = '']) => expand(text, constants));
};

const sourcesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));

const documents = ['server/cli', 'server/worker']
  .flatMap((folder) => sourcesOf(join(root, folder)))
  .flatMap((file) =>
    documentsOf(readFileSync(file, 'utf8')).map((text) => ({ file: file.slice(root.length + 1), text })),
  )
  .map((document) => ({ ...document, name: /(?:query|mutation|subscription) (\w+)/.exec(document.text)?.[1] }));

describe('documents of the commands and of the worker', () => {
  it('are found', () => {
    expect(documents.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Dags', 'Trigger', 'RunEvents', 'ClaimTasks']),
    );
  });
  it.each(documents)('$name of $file fits the schema', ({ text }) => {
    expect(validate(schema, parse(text)).map((error) => error.message)).toEqual([]);
  });
});
