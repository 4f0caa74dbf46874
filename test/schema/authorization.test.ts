import {
  getNamedType,
  isInputType,
  isNonNullType,
  isObjectType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '#schema/index.ts';
import { OPEN_FIELDS } from '#server/http/plugins/use-sign-in-required.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';
import { openSocket } from '../helpers/socket.ts';

const database = await createTestDatabase();
let app: TestApp;
const tokens: { [role: string]: string } = {};

beforeAll(async () => {
  app = await startTestApp(database);
  for (const role of ['viewer', 'editor', 'admin', 'worker'] as const) tokens[role] = await app.token(role);
  await app.engine.deploy(dagOf('guarded', { a: [] }));
});
afterAll(() => app.stop());

/** An operation that asks for one root field, with made-up arguments of the right types. */
function operationOf(kind: string, field: GraphQLField<unknown, unknown>): string {
  const args = field.args.filter((arg) => isNonNullType(arg.type)).map((arg) => `${arg.name}: ${literal(arg.type)}`);
  return `${kind} { ${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''} ${selection(field.type)} }`;
}

function literal(type: GraphQLInputType): string {
  const named = getNamedType(type);
  if (String(type).startsWith('[')) return '[]';
  if ('getFields' in named && isInputType(named)) {
    const fields = Object.values(named.getFields()).filter((field) => isNonNullType(field.type));
    return `{ ${fields.map((field) => `${field.name}: ${literal(field.type)}`).join(', ')} }`;
  }
  if ('getValues' in named) return named.getValues()[0]?.name ?? '';
  const samples: { [name: string]: string } = {
    ...{ Int: '1', Float: '1', Boolean: 'true', ID: '"1"', JSON: '{}' },
    DateTime: '"2026-01-31T08:00:00Z"',
  };
  return samples[named.name] ?? '"x"';
}

const selection = (type: Parameters<typeof getNamedType>[0]): string =>
  'getFields' in (getNamedType(type) as GraphQLNamedType) || 'getTypes' in (getNamedType(type) as GraphQLNamedType)
    ? '{ __typename }'
    : '';

const roots: [string, GraphQLObjectType | null | undefined][] = [
  ['query', schema.getQueryType()],
  ['mutation', schema.getMutationType()],
  ['subscription', schema.getSubscriptionType()],
];
const fields = roots.flatMap(([kind, type]) =>
  Object.values(type?.getFields() ?? {}).map((field): [string, string, string] => [
    kind,
    field.name,
    operationOf(kind, field),
  ]),
);

describe('an anonymous caller', () => {
  it('has few open fields', () => {
    expect([...OPEN_FIELDS].sort()).toEqual(['__typename', 'exchangePodToken', 'login', 'viewer']);
  });

  it.each(fields.filter(([, name]) => !OPEN_FIELDS.has(name)))('is refused %s %s', async (kind, _name, operation) => {
    const accept = kind === 'subscription' ? 'text/event-stream' : 'application/json';
    const response = await app.post({ query: operation }, { accept });
    const text = await response.text();
    expect(text, operation).toContain('UNAUTHENTICATED');
    expect(text).not.toContain('"message":"input');
  });

  it('is refused introspection, also inside a fragment', async () => {
    for (const query of [
      '{ __schema { types { name } } }',
      '{ ...F } fragment F on Query { __type(name: "Dag") { name } }',
    ])
      expect((await app.graphql(query)).errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    expect((await app.graphql('{ __type(name: "Dag") { name } }', {}, tokens['viewer'])).data).toEqual({
      __type: { name: 'Dag' },
    });
  });

  it('is told that nobody is signed in', async () => {
    expect(await app.graphql('{ viewer { name } }')).toEqual({ data: { viewer: null } });
  });

  it('gets no socket', async () => {
    const socket = openSocket(app.url());
    const events = socket.subscribe('subscription { dagEvents { cursor } }');
    await expect(events.take(1)).rejects.toThrow();
    expect(socket.closed).toEqual([4401]);
    await socket.stop();
  });
});

describe('every type', () => {
  /** Plain values that others hand out after their own check. */
  const OPEN_TYPES = new Set([
    ...['Viewer', 'NotFoundError', 'ConflictError', 'ValidationError', 'ValidationIssue'],
    'ExchangedPodToken',
  ]);
  const types = Object.values(schema.getTypeMap()).filter(
    (type): type is GraphQLObjectType =>
      isObjectType(type) && !type.name.startsWith('__') && !roots.some(([, root]) => root === type),
  );

  it.each(types.map((type): [string, GraphQLObjectType] => [type.name, type]))(
    '%s says who may see it',
    (name, type) => {
      const options = type.extensions['pothosOptions'] as { authScopes?: object } | undefined;
      const isEdge = /(Connection|Edge)$/.test(name);
      const isSuccess = /^(Mutation|Query)\w+Success$/.test(name);
      if (isEdge || isSuccess || OPEN_TYPES.has(name)) return;
      expect(options?.authScopes, `${name} has no authScopes`).toBeTruthy();
    },
  );

  it('and every field and argument is described', () => {
    const silent = types
      .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
      .filter(
        ({ type, field }) => !field.description && field.name !== 'id' && !/(Connection|Edge|Success)$/.test(type.name),
      )
      .filter(({ type }) => type.name !== 'PageInfo')
      .map(({ type, field }) => `${type.name}.${field.name}`);
    expect(silent).toEqual([]);
  });
});

describe('roles', () => {
  const trigger = `mutation { triggerDagRun(input: { dagId: "guarded" }) { __typename } }`;
  const remove = `mutation { deleteDag(input: { dagId: "none" }) { __typename } }`;
  const token = `mutation { createApiToken(input: { name: "t", role: VIEWER, expiresInDays: 1 }) { __typename } }`;
  const claim = `mutation { claimTasks(input: { workerId: "1", queues: ["none"], limit: 1 }) { dispatches } }`;
  const report = `mutation { reportTasks(input: { reports: [] }) { answers } }`;
  const cases: [string, string, { [role: string]: boolean }][] = [
    ['read', '{ dags { edges { node { dagId } } } }', { viewer: true, editor: true, admin: true, worker: false }],
    ['trigger', trigger, { viewer: false, editor: true, admin: true, worker: false }],
    ['delete', remove, { viewer: false, editor: false, admin: true, worker: false }],
    ['make tokens', token, { viewer: false, editor: false, admin: true, worker: false }],
    ['claim', claim, { viewer: false, editor: false, admin: false, worker: true }],
    ['report', report, { viewer: false, editor: false, admin: false, worker: true }],
  ];

  it.each(cases)('%s', async (_what, query, allowed) => {
    for (const [role, isAllowed] of Object.entries(allowed)) {
      const result = await app.graphql(query, {}, tokens[role]);
      const codes = result.errors?.map((error) => error.extensions?.code) ?? [];
      expect({ role, codes }).toEqual({ role, codes: isAllowed ? [] : ['FORBIDDEN'] });
    }
  });

  it('hold below the root too: node(id) gives a viewer no token', async () => {
    const id = Buffer.from('ApiToken:1').toString('base64');
    const result = await app.graphql(`{ node(id: "${id}") { id ... on ApiToken { name } } }`, {}, tokens['viewer']);
    expect(result.errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
    expect(JSON.stringify(result.data)).not.toContain('name');
  });

  it('hold on the socket', async () => {
    const socket = openSocket(app.url(), { token: tokens['worker'] ?? '' });
    const events = socket.subscribe('subscription { dagEvents { cursor } }');
    await expect(events.take(1)).rejects.toThrow(/FORBIDDEN/);
    await socket.stop();
  });
});
