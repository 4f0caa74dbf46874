import { afterAll, beforeAll, expect, it } from 'vitest';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { work } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
beforeAll(async () => {
  app = await startTestApp(database);
});
afterAll(() => app.stop());

it('a copy of a mapped task or group says what it was made for, and its name', async () => {
  const map = (argument: string, ...items: string[]) => ({ over: { [argument]: items }, name: `{{ ${argument} }}` });
  const validated = validateDagSpec({
    dagId: 'mapped',
    groups: [{ groupId: 'region', map: map('code', 'eu', 'us') }],
    tasks: [
      { taskId: 'each', kind: 'bash', command: 'true', map: map('file', 'a', 'b') },
      { taskId: 'region.load', kind: 'bash', command: 'true', group: 'region' },
      { taskId: 'plain', kind: 'bash', command: 'true' },
    ],
  });
  if (!validated.ok) throw new Error(JSON.stringify(validated.issues));
  const { dagId } = await app.engine.deploy(validated.spec);
  const [created] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
  await work(app.engine, await app.engine.worker(), ({ mapItem, taskId }) =>
    mapItem && taskId === 'each' ? { mapName: `file ${String(mapItem['file'])}` } : 'success',
  );
  const query = `query ($id: ID!) { dagRun(runId: $id) { taskInstances(first: 20) { edges { node { taskId mapIndex mapItem mapName } } } } }`;
  const { data } = await app.graphql(query, { id: String(created!.runId) }, await app.token('viewer'));
  const rows = data.dagRun.taskInstances.edges.map(
    ({ node }: { node: { taskId: string; mapIndex: number; mapItem: unknown; mapName: unknown } }) =>
      [`${node.taskId}[${node.mapIndex}]`, node.mapItem, node.mapName] as const,
  );
  expect(rows).toEqual([
    ['each[0]', { file: 'a' }, 'file a'],
    ['each[1]', { file: 'b' }, 'file b'],
    ['region.load[0]', { code: 'eu' }, null],
    ['region.load[1]', { code: 'us' }, null],
    ['plain[-1]', null, null],
    ['region.__map__[-1]', null, null],
  ]);
});
