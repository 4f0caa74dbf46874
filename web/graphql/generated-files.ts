import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal';
import { buildSchema, introspectionFromSchema, isObjectType, type GraphQLSchema } from 'graphql';
import { format } from 'prettier';

const MARK = 'Generated from schema/schema.graphql by `npm run generate`; do not edit.';

/** Object types that have no id: the cache keeps them inside the object that holds them. */
function keylessTypes(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return Object.values(schema.getTypeMap())
    .filter(
      (type) => isObjectType(type) && !type.name.startsWith('__') && !roots.includes(type) && !type.getFields()['id'],
    )
    .map((type) => type.name)
    .sort();
}

/** The generated files by name: the schema's types for gql.tada, and what the cache must know. */
export async function generatedFiles(sdl: string): Promise<Map<string, string>> {
  const schema = buildSchema(sdl);
  const introspection = minifyIntrospection(introspectionFromSchema(schema, { descriptions: false }));
  const types = outputIntrospectionFile(introspection, {
    fileType: '.d.ts',
    preamble: `/* eslint-disable */\n/* ${MARK} */`,
  });
  const names = JSON.stringify(keylessTypes(schema));
  const keyless = `// ${MARK}\nexport const keylessTypes = ${names} as const;\n`;
  const style = { parser: 'typescript', singleQuote: true, printWidth: 120 };
  return new Map([
    ['introspection.d.ts', types],
    ['keyless-types.ts', await format(keyless, style)],
  ]);
}
