import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findCluster } from '#db/queries/clusters.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { runCli, type Ended } from '../helpers/cli.ts';
import { describeCluster, randomName } from '../helpers/cluster.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createService, type Service } from '../helpers/service.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();

describeCluster('clusters as they are', (cluster) => {
  const home = mkdtempSync(join(tmpdir(), 'millrace-cluster-'));
  let app: TestApp;
  let env: { [name: string]: string };
  beforeAll(async () => {
    app = await startTestApp(database);
    env = { MILLRACE_HOME: home, MILLRACE_URL: app.url(), MILLRACE_TOKEN: await app.token('admin') };
  });
  afterAll(async () => {
    await app.stop();
    rmSync(home, { recursive: true, force: true });
  });
  const millrace = (...args: string[]): Promise<Ended> => runCli(['cluster', ...args], env);
  const file = (name: string, text: string) => {
    writeFileSync(join(home, name), text, { mode: 0o600 });
    return join(home, name);
  };
  const health = async (name: string) => {
    const { stdout } = await millrace('check', name, '--json');
    return JSON.parse(stdout).health as {
      state: string;
      message: string | null;
      version: string;
      missingPermissions: string[];
    };
  };

  it(
    'one that grants all is well, and shows the quotas and limits of its namespaces',
    { timeout: 60_000 },
    async () => {
      const { namespace, apply, kubeconfig, createNamespace } = cluster();
      const plain = await createNamespace();
      await apply({
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'budget' },
        spec: { hard: { pods: '4', 'requests.cpu': '2' } },
      });
      const limits = [
        { type: 'Container', default: { memory: '64Mi' }, defaultRequest: { memory: '32Mi' }, max: { cpu: '1' } },
      ];
      await apply({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'sizes' }, spec: { limits } });
      await cluster().run(
        cluster().pod('sleep 60', {
          spec: { schedulerName: 'nobody' },
          container: { resources: { requests: { cpu: '500m' } } },
        }),
      );
      const path = file('admin', kubeconfig);
      const added = await millrace('add', 'whole', '--kubeconfig', path, '--namespace', `${namespace},${plain}`);
      expect(added).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/^whole is well \(https:.*Kubernetes v\d/) as string,
      });
      expect(await health('whole')).toMatchObject({ state: 'OK', message: null, missingPermissions: [] });

      // The quota's use is counted by the cluster a moment after the Pod
      const shown = await waitFor(
        async () => {
          const { clusters } = (await app.graphql(QUOTAS, {}, env['MILLRACE_TOKEN'])).data;
          const [first] = clusters[0].namespaces;
          return first.quotas[0]?.resources[0]?.used === '1' ? clusters[0] : null;
        },
        { timeoutMs: 30_000 },
      );
      expect(shown.namespaces).toEqual([
        {
          name: namespace,
          error: null,
          quotas: [
            {
              name: 'budget',
              resources: [
                { resource: 'pods', hard: '4', used: '1', usedFraction: 0.25 },
                { resource: 'requests.cpu', hard: '2', used: '500m', usedFraction: 0.25 },
              ],
            },
          ],
          limitRanges: [
            {
              name: 'sizes',
              limits: [
                {
                  type: 'Container',
                  resource: 'cpu',
                  max: '1',
                  default: expect.anything() as unknown,
                  defaultRequest: expect.anything() as unknown,
                },
                { type: 'Container', resource: 'memory', max: null, default: '64Mi', defaultRequest: '32Mi' },
              ],
            },
          ],
        },
        { name: plain, error: null, quotas: [], limitRanges: [] },
      ]);
      const printed = (await millrace('show', 'whole')).stdout;
      expect(printed).toMatch(/budget +requests\.cpu +500m +2 +25\n/);
      expect(printed).toContain(`namespace ${plain}\n  no quotas, no limits\n`);
      // Nothing of the credentials is printed, not even the open part of the certificate
      expect(printed).not.toMatch(/[A-Za-z0-9+/]{60}/);
    },
  );

  it(
    'one that grants nothing says what is missing, and one that grants what is asked for is enough',
    { timeout: 60_000 },
    async () => {
      const { createUser, secondCluster, createNamespace } = cluster();
      const nobody = await createUser([], await createNamespace());
      const path = file('nobody', nobody.kubeconfig);
      const added = await millrace('add', 'nobody', '--kubeconfig', path, '--namespace', nobody.namespace);
      expect(added.stderr).toContain(`nobody is degraded`);
      expect(added.stderr).toContain(`May not "create" pods in namespace ${nobody.namespace}: no task can start.`);
      const poor = await health('nobody');
      for (const missing of ['create pods', 'watch pods', 'get pods/log', 'list resourcequotas'])
        expect(poor.missingPermissions).toContain(`${missing} in ${nobody.namespace}`);
      expect(poor.missingPermissions).toContain('create tokenreviews');
      expect((await millrace('show', 'nobody')).stdout).toContain('may not be listed by our credentials');

      const second = await secondCluster();
      const { server, token, ca } = second.credentials;
      const at = [
        '--server',
        server,
        '--server-token-file',
        file('token', token),
        ...(ca ? ['--ca-file', file('ca', ca)] : []),
      ];
      const fits = await millrace('add', 'second', ...at, '--namespace', second.namespace);
      expect(fits.stderr).toMatch(/^second is well .* May not review tokens/);
      expect(await health('second')).toMatchObject({ state: 'OK', missingPermissions: ['create tokenreviews'] });
    },
  );

  it('one that is elsewhere, or whose token was revoked, says so', { timeout: 60_000 }, async () => {
    const { secondCluster } = cluster();
    const { credentials, namespace } = await secondCluster();
    const ca = credentials.ca ? ['--ca-file', file('ca', credentials.ca)] : [];
    const revoked = ['--server', credentials.server, '--server-token-file', file('old', 'not-a-token'), ...ca];
    await millrace('add', 'revoked', ...revoked, '--namespace', namespace);
    expect(await health('revoked')).toMatchObject({
      state: 'UNREACHABLE',
      message: expect.stringContaining('does not accept our credentials (401)') as string,
    });
    const away = ['--server', 'https://127.0.0.1:1', '--server-token-file', file('token', credentials.token)];
    await millrace('add', 'away', ...away, '--namespace', namespace);
    expect(await health('away')).toMatchObject({ state: 'UNREACHABLE', missingPermissions: [] });
    if (!credentials.ca) return;
    const stranger = ['--server', credentials.server, '--server-token-file', file('token', credentials.token)];
    await millrace('add', 'stranger', ...stranger, '--namespace', namespace);
    expect(await health('stranger')).toMatchObject({
      state: 'UNREACHABLE',
      message: expect.stringMatching(/certificate/) as string,
    });
    expect(JSON.stringify(app.logged)).not.toContain(credentials.token);
  });
});

const QUOTAS = `{ clusters { namespaces { name error quotas { name resources { resource hard used usedFraction } }
  limitRanges { name limits { type resource max default defaultRequest } } } } }`;

describeCluster('the cluster of the configuration', (cluster) => {
  let service: Service | undefined;
  afterAll(() => service?.stop());

  it(
    'is made known by the server, found well by the scheduler, and not for people to change',
    { timeout: 120_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'millrace-configured-'));
      const path = join(folder, randomName('kubeconfig'));
      writeFileSync(path, cluster().kubeconfig, { mode: 0o600 });
      service = await createService({ MILLRACE_KUBECONFIG: path, MILLRACE_KUBE_NAMESPACES: cluster().namespace });
      for (const piece of ['server', 'scheduler'] as const) await service.start(piece);
      const { db } = service.database();
      const slow = { timeoutMs: 60_000 };
      const well = await waitFor(async () => {
        const found = await findCluster(db, 'default');
        return found?.health === 'ok' ? found : null;
      }, slow);
      expect(well).toMatchObject({
        managed: true,
        kind: 'kubeconfig',
        namespaces: [cluster().namespace],
        health_message: null,
      });
      expect(well.version).toMatch(/^v\d/);
      const output = () => service!.output();
      await waitFor(() => /the cluster is well/.test(output()), slow);
      rmSync(folder, { recursive: true });
    },
  );
});
