import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

const SERVER_CODE = ['sdk/**/*.ts', 'db/**/*.ts', 'schema/**/*.ts', 'server/**/*.ts'];
const CODE = [...SERVER_CODE, 'web/**/*.ts', 'web/**/*.svelte'];
const COMPOSING = ['server/cli/**/*.ts'];

/** sdk ◄ db ◄ schema ◄ server; web reads schema/schema.graphql only; nobody imports test. */
const zone = (target, from, message) => ({ target: `./${target}`, from: from.map((folder) => `./${folder}`), message });
const ZONES = [
  zone('sdk', ['db', 'schema', 'server', 'web', 'test'], 'sdk is at the bottom: it imports no other folder.'),
  zone('db', ['schema', 'server', 'web', 'test'], 'db imports sdk only.'),
  zone('schema', ['server', 'web', 'test'], 'schema imports sdk and db only.'),
  zone('server', ['web', 'test'], 'server imports sdk, db and schema only.'),
  zone('web', ['sdk', 'db', 'schema', 'server', 'test'], 'web reads schema/schema.graphql only.'),
  zone('server/http', ['server/scheduler'], 'http never imports scheduler.'),
  zone('server/scheduler', ['server/http', 'server/operators'], 'scheduler never imports http or operators.'),
  zone('server/operators', ['db'], 'operators never import db.'),
];

const NO_ENVIRONMENT = {
  object: 'process',
  property: 'env',
  message: 'Only server/config.ts reads the environment; take the value as a parameter.',
};

const lineCount = (node) => node.loc.end.line - node.loc.start.line + 1;

/** No function over 60 lines; a factory (`createX`, `startX`) may be longer when each function inside it stays within 40. */
const functionLength = {
  meta: {
    type: 'suggestion',
    schema: [],
    messages: { long: '{{name}} has {{lines}} lines, the most is {{max}}: it is two ideas.' },
  },
  create(context) {
    const nameOf = (node) => node.id?.name ?? node.parent?.id?.name ?? node.parent?.key?.name ?? 'The function';
    const open = [];
    const leave = (node) => {
      const { longestInside } = open.pop();
      const lines = lineCount(node);
      const parent = open.at(-1);
      if (parent) parent.longestInside = Math.max(parent.longestInside, lines);
      const isFactory = /^(create|start)[A-Z]/.test(nameOf(node));
      const max = parent?.isFactory ? 40 : isFactory && longestInside <= 40 ? Infinity : 60;
      if (lines > max) context.report({ node, messageId: 'long', data: { name: nameOf(node), lines, max } });
    };
    const enter = (node) =>
      open.push({ longestInside: 0, isFactory: /^(create|start)[A-Z]/.test(nameOf(node)) && lineCount(node) > 60 });
    const functions = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];
    return Object.fromEntries(
      functions.flatMap((type) => [
        [type, enter],
        [`${type}:exit`, leave],
      ]),
    );
  },
};

export default ts.config(
  {
    ignores: [
      '**/node_modules/**',
      '**/dist/**',
      'test-results/**',
      'db/types.ts',
      'web/graphql/generated/**',
      '**/*.generated.*',
      '.svelte-kit/**',
    ],
  },
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  {
    plugins: { 'import-x': importX, own: { rules: { 'function-length': functionLength } } },
    settings: {
      'import-x/resolver-next': [
        createNodeResolver({
          extensions: ['.ts', '.js', '.mjs', '.svelte'],
          conditionNames: ['source', 'import', 'node', 'default'],
        }),
      ],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description' }],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/no-empty-object-type': ['error', { allowObjectTypes: 'always' }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-restricted-paths': ['error', { zones: ZONES }],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'] } },
    rules: { 'svelte/no-at-html-tags': 'error' },
  },
  {
    files: CODE,
    rules: {
      'import-x/no-default-export': 'error',
      'max-lines': ['error', 300],
      'own/function-length': 'error',
    },
  },
  { files: ['web/**/*.svelte'], rules: { 'max-lines': ['error', 150], 'import-x/no-default-export': 'off' } },
  {
    files: ['**/vite.config.ts', '**/svelte.config.*', '**/*.svelte.d.ts'],
    rules: { 'import-x/no-default-export': 'off' },
  },
  { files: CODE, ignores: ['server/config.ts'], rules: { 'no-restricted-properties': ['error', NO_ENVIRONMENT] } },
  {
    // Promises nobody waits for hide failures. Types are needed for this: server code only, the rest is not worth the seconds.
    files: SERVER_CODE,
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
    },
  },
  {
    files: SERVER_CODE,
    ignores: ['db/queries/task-transitions.ts', 'db/queries/task-transitions/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            ':matches(Literal[value=/update\\s+task_instance\\b/i], TemplateElement[value.raw=/update\\s+task_instance\\b/i])',
          message: 'Only db/queries/task-transitions changes task_instance.',
        },
        {
          selector: "CallExpression[callee.property.name='updateTable'] Literal[value='task_instance']",
          message: 'Only db/queries/task-transitions changes task_instance.',
        },
      ],
    },
  },
  { files: ['test/**/*.types.ts'], rules: { '@typescript-eslint/no-unused-vars': 'off' } },
  { files: COMPOSING, rules: { 'no-console': 'off' } },
);
