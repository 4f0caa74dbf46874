import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deployDag } from '#db/queries/dag.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import { createRunnerTokens } from '#server/auth/runner-token.ts';
import { packBundle } from '#server/bundles/pack-bundle.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { startTestApp, TEST_KEY } from '../../helpers/app.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import {
  clusterDag,
  createClusterStandIn,
  launchFirstTask,
  launchNext,
  POD_TOKEN,
  TEST_CLUSTER,
  tokenAnswer,
} from '../../helpers/launched-task.ts';

const database = await createTestDatabase();
const cluster = createClusterStandIn();
const app = await startTestApp(database, { reviewers: cluster });
afterAll(() => app.stop());
afterEach(() => checkRuns(database));
beforeEach(() => {
  cluster.answer = tokenAnswer();
  cluster.asked.length = 0;
  app.logged.length = 0;
});

const EXCHANGE = `mutation ($input: ExchangePodTokenInput!) { exchangePodToken(input: $input) { dispatch } }`;
const exchange = (input: object) =>
  app.graphql(EXCHANGE, { input: { cluster: TEST_CLUSTER, token: POD_TOKEN, ...input } });
const launch = () =>
  launchFirstTask(
    app,
    database,
    clusterDag({ dagId: 'one', tasks: [{ taskId: 'a', kind: 'bash', command: 'echo {{ dag.dag_id }}' }] }),
  );
const reasons = () =>
  app.logged.filter((line) => line['msg'] === 'the token of a Pod was refused').map((l) => l['reason']);

describe('a Pod that shows its token', () => {
  it('gets its dispatch, with a token that speaks for it alone', async () => {
    const { dispatch } = await launch();
    const { dispatchId } = dispatch;
    const { data, errors } = await exchange({ dispatchId });
    expect(errors).toBeUndefined();
    const given = data.exchangePodToken.dispatch;
    expect({ ...given, token: null }).toEqual({ ...dispatch, token: null });
    expect(cluster.asked).toEqual([{ token: POD_TOKEN, audiences: ['millrace'] }]);

    const BEAT = 'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { fenced } }';
    const beat = (id: string) => app.graphql(BEAT, { input: { dispatchIds: [id] } }, given.token);
    expect((await beat(dispatchId)).data.heartbeat).toEqual({ fenced: [] });
    expect((await beat(dispatchId.replace(/.$/, '0').replace(/^\d+/, '77'))).errors?.[0]?.message).toContain('another');
    expect(
      (await app.graphql('{ dags(first: 1) { edges { node { id } } } }', {}, given.token)).errors?.[0]?.extensions
        ?.code,
    ).toBe('FORBIDDEN');
  });

  it('may come again', async () => {
    const { dispatchId } = (await launch()).dispatch;
    const [one, two] = [await exchange({ dispatchId }), await exchange({ dispatchId })];
    expect([one.data.exchangePodToken.dispatch.dispatchId, two.data.exchangePodToken.dispatch.dispatchId]).toEqual([
      dispatchId,
      dispatchId,
    ]);
  });

  it('is accepted before its uid is recorded: its name was made of the dispatch', async () => {
    const { dispatchId } = (await launch()).dispatch;
    await database.pool.query('update launch set uid = null where dispatch_id = $1', [dispatchId.split('.').at(-1)]);
    cluster.answer = tokenAnswer({ podUid: 'any' });
    expect((await exchange({ dispatchId })).errors).toBeUndefined();
  });

  it.each([
    ['the cluster does not know it', { authenticated: false, error: 'expired' }, /does not vouch.*expired/],
    ['it belongs to no Pod', { podName: null, podUid: null }, /belongs to no Pod/],
    ['it is that of a Pod in another namespace', { namespace: 'other' }, /in namespace other, not in tasks/],
    ['it is that of another Pod', { podName: 'neighbour' }, /that of Pod neighbour, not of dag-task-abc/],
    ['it is that of a Pod with this name, and not of this one', { podUid: 'b' }, /another one: its uid is b/],
  ])('is refused when %s, and told no reason', async (_what, answer, reason) => {
    const { dispatchId } = (await launch()).dispatch;
    cluster.answer = tokenAnswer(answer);
    const { errors } = await exchange({ dispatchId });
    expect(errors).toMatchObject([
      {
        message: 'This token is not that of the Pod that runs this dispatch.',
        extensions: { code: 'UNAUTHENTICATED' },
      },
    ]);
    expect(reasons()).toEqual([expect.stringMatching(reason)]);
    expect(JSON.stringify(app.logged)).not.toContain(POD_TOKEN);
  });

  it('is refused without asking the cluster when nothing was launched for it', async () => {
    const { dispatchId } = (await launch()).dispatch;
    const shown = [
      { dispatchId: 'nonsense' },
      { dispatchId: '1.0.-1.00000000-0000-0000-0000-000000000000' },
      { dispatchId: dispatchId.replace(/^\d+/, '99') },
      { dispatchId, cluster: 'other' },
      { dispatchId, token: 'no token' },
    ];
    for (const input of shown) expect((await exchange(input)).errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    expect(cluster.asked).toEqual([]);
    expect(reasons()).toHaveLength(shown.length);
  });

  it('is refused when its dispatch is over', async () => {
    const { runId, dispatch } = await launch();
    await app.engine.cancelRun(runId, 'test');
    expect((await exchange({ dispatchId: dispatch.dispatchId })).errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    expect(reasons()).toEqual([]);
  });

  it('is asked to come again while its cluster cannot be asked', async () => {
    const { dispatchId } = (await launch()).dispatch;
    cluster.answer = new Error('connect ECONNREFUSED');
    expect((await exchange({ dispatchId })).errors?.[0]?.extensions?.code).toBe('UNAVAILABLE');
    cluster.answer = tokenAnswer();
    expect((await exchange({ dispatchId })).errors).toBeUndefined();
  });

  it('is heard no more after many refusals from its address', async () => {
    const { dispatchId } = (await launch()).dispatch;
    const codes = new Set<string | undefined>();
    for (let i = 0; i < 320; i++) codes.add((await exchange({ dispatchId: 'x' })).errors?.[0]?.extensions?.code);
    expect([...codes]).toEqual(['UNAUTHENTICATED', 'TOO_MANY_ATTEMPTS']);
    cluster.asked.length = 0;
    expect((await exchange({ dispatchId })).errors?.[0]?.extensions?.code).toBe('TOO_MANY_ATTEMPTS');
    expect(cluster.asked).toEqual([]);
  });

  it('cannot send much without a credential', async () => {
    const response = await app.post({ query: EXCHANGE, variables: { input: { token: 'a'.repeat(20_000) } } });
    expect(response.status).toBe(413);
  });
});

describe('the token that a Pod gets', () => {
  const bundleOf = (text: string) => packBundle([{ path: 'dag.py', content: Buffer.from(text), executable: false }]);
  const get = async (path: string, token: string | null) =>
    (await fetch(`${app.url()}${path}`, token === null ? {} : { headers: { authorization: `Bearer ${token}` } }))
      .status;

  it('opens the bundle of its own DAG, and nothing of others', async () => {
    const spec = clusterDag({ dagId: 'own', tasks: [{ taskId: 'a', kind: 'bash', command: 'true' }] });
    const [own, other] = [await bundleOf('own'), await bundleOf('other')];
    await deployDag(database.db, { spec: { ...spec, dagId: 'other' }, bundle: other, actor: 'test' });
    const { dagId } = await deployDag(database.db, { spec, bundle: own, actor: 'test' });
    await app.engine.createRuns([{ dagId, kind: 'manual' }]);
    const { dispatchId } = await launchNext(app, database);
    // Not over the API: its address has been refused too often by now
    const key = parseDispatchId(dispatchId)!;
    const token = createRunnerTokens(TEST_KEY).sign((await app.engine.redispatch([key]))[0]!.dispatchId, 60);
    expect(await get(`/bundles/${own.hash}`, token)).toBe(200);
    expect(await get(`/bundles/${other.hash}`, token)).toBe(403);
    expect(await get(`/bundles/${own.hash}`, null)).toBe(401);
    const hash = 'a'.repeat(64);
    expect(await get(`/artifacts/${dispatchId}/${hash}`, token)).toBe(404);
    expect(await get(`/artifacts/${dispatchId.replace(/^\d+/, '99')}/${hash}`, token)).toBe(403);
    expect(await get('/logs/x/1', token)).toBe(403);
  });
});
