import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  NoUnusedFragmentsRule,
  print,
  specifiedRules,
  validate,
  visit,
  type DocumentNode,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../web/graphql/generated-files.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'web/graphql/documents');
const sdl = readFileSync(join(root, 'schema/schema.graphql'), 'utf8');
const schema = buildSchema(sdl);

const isDocument = (value: unknown): value is DocumentNode =>
  typeof value === 'object' && value !== null && (value as DocumentNode).kind === Kind.DOCUMENT;

async function readDocuments(): Promise<[name: string, document: DocumentNode][]> {
  const files = readdirSync(folder);
  const modules = await Promise.all(
    files.map((file) => import(join(folder, file)) as Promise<Record<string, unknown>>),
  );
  return modules.flatMap((module, index) =>
    Object.entries(module)
      .filter((entry): entry is [string, DocumentNode] => isDocument(entry[1]))
      .map(([name, document]): [string, DocumentNode] => [`${files[index]} ${name}`, document]),
  );
}

const documents = await readDocuments();
const isOperation = (document: DocumentNode) =>
  document.definitions.some((one) => one.kind === Kind.OPERATION_DEFINITION);
/** A fragment is a document of its own here, used by others. */
const rules = specifiedRules.filter((rule) => rule !== NoUnusedFragmentsRule);
/** gql.tada's own directives mean nothing to a server and are removed before a document is sent. */
const withoutMarks = (document: DocumentNode) =>
  visit(document, { Directive: (node) => (node.name.value === '_unmask' ? null : undefined) });

describe('the documents of the web', () => {
  it('are there', () => {
    expect(documents.filter(([, document]) => isOperation(document)).length).toBeGreaterThan(10);
  });

  it.each(documents)('%s is valid against schema/schema.graphql', (_name, document) => {
    const errors = validate(schema, withoutMarks(document), rules).map((error) => error.message);
    expect(errors, print(document)).toEqual([]);
  });

  it('ask every cached object for its id', () => {
    const keyed = new Set(
      Object.values(schema.getTypeMap())
        .filter((type) => isObjectType(type) && type.getFields()['id'])
        .map((type) => type.name),
    );
    for (const [name, document] of documents) {
      for (const one of document.definitions) {
        if (one.kind !== Kind.FRAGMENT_DEFINITION || !keyed.has(one.typeCondition.name.value)) continue;
        const fields = one.selectionSet.selections.map((field) => (field.kind === Kind.FIELD ? field.name.value : ''));
        expect(fields, name).toContain('id');
      }
    }
  });
});

describe('their fragments', () => {
  it('name object types: the cache does not know which types an interface has', () => {
    for (const [name, document] of documents) {
      visit(document, {
        NamedType: (node, _key, parent) => {
          const isCondition = parent && 'kind' in parent && parent.kind !== Kind.VARIABLE_DEFINITION;
          if (isCondition && isInterfaceType(schema.getType(node.name.value)))
            throw new Error(`${name}: ${node.name.value}`);
        },
      });
    }
  });
});

describe('the generated files of the web', () => {
  it('are those that npm run generate would write', async () => {
    for (const [name, text] of await generatedFiles(sdl)) {
      expect(readFileSync(join(root, 'web/graphql/generated', name), 'utf8'), name).toBe(text);
    }
  });
});
