import { beforeAll, describe, expect, it } from 'vitest';
import { countPods } from '#db/queries/cluster-pods.ts';
import { createListener } from '#db/listen.ts';
import {
  CLUSTER_CHANGED,
  CLUSTER_HEALTH_CHANGED,
  createCluster,
  deleteCluster,
  findCluster,
  findClusters,
  listClusters,
  openCluster,
  setClusterHealth,
  updateCluster,
  type ClusterHealth,
  type NewCluster,
} from '#db/queries/clusters.ts';
import { rewrapSecrets } from '#db/queries/rewrap-secrets.ts';
import { createVault } from '#db/vault.ts';
import { CLUSTER_DEFAULTS, type ClusterCredentials } from '#sdk/clusters.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const vault = createVault(Buffer.alloc(32, 1));
const actor = 'test';

const byToken: ClusterCredentials = { kind: 'token', server: 'https://c:6443', token: 'geheim-1', ca: null };
const cluster = (name: string, credentials: ClusterCredentials = byToken): NewCluster => ({
  ...CLUSTER_DEFAULTS,
  name,
  namespaces: ['jobs'],
  access: {
    credentials,
    server: credentials.kind === 'in_cluster' ? null : 'https://c:6443',
    insecure: credentials.kind === 'token' && credentials.insecure === true,
  },
});
const audit = async (object: string) =>
  (await pool.query(`select action, detail from audit_event where object = $1 order by id`, [object]))
    .rows as unknown[];

describe('a cluster', () => {
  const heard: string[] = [];
  beforeAll(async () => {
    const listener = createListener(database.url);
    for (const channel of [CLUSTER_CHANGED, CLUSTER_HEALTH_CHANGED])
      listener.on(channel, (name) => heard.push(`${channel} ${name}`));
    await listener.start();
    return () => listener.stop();
  });

  it('is made with the defaults, once, and told of', async () => {
    expect(await createCluster(db, vault, cluster('made'), { actor })).toMatchObject({
      ...{ name: 'made', kind: 'token', server: 'https://c:6443', context: null, namespaces: ['jobs'] },
      ...{ qps: 50, burst: 100, parallel_creates: 16, max_pods: 1000, max_pods_per_namespace: null },
      ...{ pod_security: 'restricted', images: [], service_accounts: [], pod_defaults: null, paused: false },
      ...{ managed: false, revision: 1, health: 'unknown', missing_permissions: [], checked_at: null },
    });
    expect(await createCluster(db, vault, cluster('made'), { actor })).toBeUndefined();
    await waitFor(() => heard.includes('millrace_cluster made'));
    expect(await audit('made')).toEqual([
      { action: 'create_cluster', detail: { kind: 'token', server: 'https://c:6443', namespaces: ['jobs'] } },
    ]);
  });

  it.each<ClusterCredentials>([
    { kind: 'in_cluster' },
    { kind: 'kubeconfig', kubeconfig: 'geheim-2', context: 'prod' },
    { ...byToken, insecure: true },
  ])('opens for who speaks to it: $kind', async (credentials) => {
    const name = `opened-${credentials.kind.replace('_', '-')}`;
    const record = await createCluster(db, vault, cluster(name, credentials), { actor });
    expect(await openCluster(db, vault, name)).toEqual({ record, credentials });
    expect(record).toMatchObject({
      kind: credentials.kind,
      context: credentials.kind === 'kubeconfig' ? 'prod' : null,
      insecure: credentials.kind === 'token',
    });
    expect(await openCluster(db, vault, 'none')).toBeUndefined();
    const other = createVault(Buffer.alloc(32, 9));
    if (credentials.kind !== 'in_cluster')
      await expect(openCluster(db, other, name)).rejects.toThrow(`The secret of cluster ${name} cannot be read`);
  });

  it('is changed field by field, and what is told of that holds no secret', async () => {
    const before = await createCluster(db, vault, cluster('changed'), { actor });
    const podDefaults = { spec: { tolerations: [{ key: 'batch' }] } };
    expect(
      await updateCluster(db, vault, 'changed', { maxPods: 5, podDefaults, images: ['a/*'] }, { actor }),
    ).toMatchObject({ max_pods: 5, pod_defaults: podDefaults, images: ['a/*'], namespaces: ['jobs'], revision: 2 });
    const access = { credentials: { ...byToken, token: 'geheim-3' }, server: 'https://c:6443', insecure: false };
    await updateCluster(db, vault, 'changed', { access, podDefaults: null }, { actor });
    const opened = await openCluster(db, vault, 'changed');
    expect(opened).toMatchObject({ credentials: { token: 'geheim-3' }, record: { pod_defaults: null, revision: 3 } });
    expect(opened?.record.created_at).toEqual(before?.created_at);
    expect(await updateCluster(db, vault, 'none', { maxPods: 1 }, { actor })).toBeUndefined();
    expect((await audit('changed')).slice(1)).toEqual([
      { action: 'update_cluster', detail: { fields: ['maxPods', 'podDefaults', 'images'] } },
      { action: 'update_cluster', detail: { fields: ['podDefaults', 'access'] } },
    ]);
    const { rows } = await pool.query(
      `select (select json_agg(c) from cluster c) as c, (select json_agg(a) from audit_event a) as a`,
    );
    expect(JSON.stringify(rows)).not.toMatch(/geheim/);
    expect(JSON.stringify(rows)).not.toContain(Buffer.from('geheim').toString('hex'));
  });

  it('goes, once', async () => {
    await createCluster(db, vault, cluster('gone'), { actor });
    expect(await deleteCluster(db, 'gone', { actor })).toBe('deleted');
    expect(await deleteCluster(db, 'gone', { actor })).toBe('missing');
    expect(await findCluster(db, 'gone')).toBeUndefined();
    await waitFor(() => heard.filter((one) => one === 'millrace_cluster gone').length === 2);
  });

  it('stays while tasks have Pods there, unless it is forced; they are counted by what they do', async () => {
    await createCluster(db, vault, cluster('used'), { actor });
    for (const phase of ['waiting', 'creating', 'created', 'scheduled', 'started', 'ended'])
      await pool.query(
        `insert into launch (dispatch_id, run_id, task_index, map_index, try_number, version_id, cluster, worker_id, phase)
         values (gen_random_uuid(), 1, 0, -1, 1, 1, 'used', 1, $1)`,
        [phase],
      );
    const none = { waiting: 0, starting: 0, running: 0 };
    expect(await countPods(db, ['made', 'used', 'none'])).toEqual([
      none,
      { waiting: 1, starting: 3, running: 1 },
      none,
    ]);
    expect(await deleteCluster(db, 'used', { actor })).toBe('in_use');
    expect(await deleteCluster(db, 'used', { actor, force: true })).toBe('deleted');
    await pool.query('delete from launch');
  });

  it('is found by names and listed in their order', async () => {
    expect((await findClusters(db, ['none', 'made'])).map(({ name }) => name)).toEqual(['made']);
    const names = (await listClusters(db)).map(({ name }) => name);
    expect(names).toEqual([...names].sort());
  });

  it('may not be without namespaces or without a way to reach it', async () => {
    await expect(createCluster(db, vault, { ...cluster('bad'), namespaces: [] }, { actor })).rejects.toThrow('check');
    await expect(pool.query(`update cluster set sealed = null where kind = 'token'`)).rejects.toThrow('reached');
  });
});

describe('the health of a cluster', () => {
  const ok: ClusterHealth = { state: 'ok', message: null, version: 'v1.31.0', missingPermissions: [] };
  const down: ClusterHealth = { state: 'unreachable', message: 'no answer', version: null, missingPermissions: [] };

  it('is told of when it is another, and keeps the time since when it is so', async () => {
    const listener = createListener(database.url);
    let told = 0;
    listener.on(CLUSTER_HEALTH_CHANGED, (name) => (told += name === 'looked-at' ? 1 : 0));
    await listener.start();
    const made = (await createCluster(db, vault, cluster('looked-at'), { actor }))!;
    for (const health of [ok, ok, down, down, ok]) expect(await setClusterHealth(db, made, health)).toBe(true);
    await waitFor(() => told === 3);
    const last = await findCluster(db, 'looked-at');
    expect(last).toMatchObject({ health: 'ok', health_message: null, version: 'v1.31.0', revision: 1 });
    expect(await setClusterHealth(db, made, ok)).toBe(true);
    const again = await findCluster(db, 'looked-at');
    expect(again!.health_since).toEqual(last!.health_since);
    expect(again!.checked_at!.getTime()).toBeGreaterThanOrEqual(last!.checked_at!.getTime());
    await listener.stop();
  });

  it('is unknown after a change, and what was looked at before no longer counts', async () => {
    const made = (await createCluster(db, vault, cluster('moved'), { actor }))!;
    await setClusterHealth(db, made, ok);
    const paused = await updateCluster(db, vault, 'moved', { paused: true }, { actor });
    expect(paused).toMatchObject({ health: 'ok', paused: true });
    expect(await updateCluster(db, vault, 'moved', { namespaces: ['a', 'b'] }, { actor })).toMatchObject({
      ...{ health: 'unknown', namespaces: ['a', 'b'], checked_at: null },
    });
    expect(await setClusterHealth(db, paused!, down)).toBe(false);
    expect(await findCluster(db, 'moved')).toMatchObject({ health: 'unknown' });
  });
});

it('credentials of clusters go under a new key with the other secrets', async () => {
  await pool.query('delete from cluster');
  const next = createVault(Buffer.alloc(32, 2), [Buffer.alloc(32, 1)]);
  await createCluster(db, vault, cluster('old'), { actor });
  await createCluster(db, createVault(Buffer.alloc(32, 3)), cluster('lost'), { actor });
  await createCluster(db, vault, cluster('inside', { kind: 'in_cluster' }), { actor });
  expect(await rewrapSecrets(db, next, actor)).toEqual({ rewrapped: 1, unreadable: ['cluster lost'] });
  expect(await openCluster(db, createVault(Buffer.alloc(32, 2)), 'old')).toMatchObject({ credentials: byToken });
});
