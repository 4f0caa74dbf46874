import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '#db/queries/clusters.ts';
import { startTestApp, type TestApp } from '../../helpers/app.ts';
import { runCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { TEST_VAULT } from '../../helpers/engine.ts';

const database = await createTestDatabase();
const home = mkdtempSync(join(tmpdir(), 'millrace-clusters-'));
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
const cluster = (...args: string[]) => runCli(['cluster', ...args], env);
const file = (name: string, text: string) => {
  writeFileSync(join(home, name), text);
  return join(home, name);
};
const pem = (kind: string, text: string) =>
  `-----BEGIN ${kind}-----\n${Buffer.from(text).toString('base64')}\n-----END ${kind}-----\n`;
const kubeconfig = (user: object) =>
  file(
    'config',
    stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1', 'certificate-authority': 'ca.crt' } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'prod', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'prod',
    }),
  );

describe('millrace cluster', { timeout: 60_000 }, () => {
  it('adds one by token, tells how it is, shows it, pauses it and removes it', async () => {
    const token = file('token', 'geheim-1\n');
    const at = ['--server', 'https://127.0.0.1:1', '--server-token-file', token];
    const added = await cluster('add', 'eu', ...at, '--namespace', 'jobs,etl', '--max-pods', '5', '--image', 'a/*');
    expect(added).toMatchObject({ code: 0, stdout: '' });
    expect(added.stderr).toMatch(/^eu is unreachable \(https:\/\/127.0.0.1:1\)\. The API server cannot be reached/);
    expect(await cluster('add', 'eu', ...at, '--namespace', 'jobs')).toMatchObject({
      code: 1,
      stderr: 'There is a cluster "eu" already: update it.\n',
    });
    expect(await openCluster(database.db, TEST_VAULT, 'eu')).toMatchObject({ credentials: { token: 'geheim-1' } });
    const list = await cluster('list');
    expect(list.stdout).toMatch(/^NAME +KIND +HEALTH .*\neu +token +unreachable +0 +0 +0 +jobs,etl +https:/);
    const shown = await cluster('show', 'eu');
    expect(shown.stdout).toMatch(/most Pods +5\n/);
    expect(shown.stdout).toMatch(/images +a\/\*\n/);
    expect(shown.stdout).toMatch(/namespace etl\n {2}The API server cannot be reached/);
    expect(await cluster('check', 'eu')).toMatchObject({ code: 1 });
    expect(await cluster('pause', 'eu')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('is paused') as string,
    });
    const json = JSON.parse((await cluster('list', '--json')).stdout);
    expect(json).toMatchObject([{ name: 'eu', paused: true, health: { state: 'UNREACHABLE' } }]);
    expect(await cluster('unpause', 'eu')).toMatchObject({ code: 0, stderr: 'eu goes on.\n' });
    expect((await cluster('set', 'eu', '--max-pods', '7', '--pod-security', 'baseline')).code).toBe(0);
    expect(JSON.parse((await cluster('show', 'eu', '--json')).stdout)).toMatchObject({
      ...{ maxPods: 7, podSecurity: 'BASELINE', images: ['a/*'], server: 'https://127.0.0.1:1' },
    });
    expect(await cluster('remove', 'eu')).toMatchObject({ code: 0, stderr: 'eu is forgotten.\n' });
    expect(await cluster('show', 'eu')).toMatchObject({ code: 1, stderr: 'There is no cluster "eu".\n' });
    expect(await cluster('list')).toMatchObject({ stderr: expect.stringContaining('No clusters yet') as string });
  });

  it('puts the files that a kubeconfig names into what is sent', async () => {
    const [theirs, mine, key] = [
      pem('CERTIFICATE', 'theirs'),
      pem('CERTIFICATE', 'mine'),
      pem('RSA PRIVATE KEY', 'geheim-2'),
    ];
    file('ca.crt', theirs);
    file('key', key);
    file('crt', mine);
    const path = kubeconfig({ 'client-certificate': 'crt', 'client-key': join(home, 'key') });
    const added = await cluster('add', 'files', '--kubeconfig', path, '--namespace', 'jobs');
    expect(added).toMatchObject({ code: 0 });
    expect(added.stderr).toMatch(/files is unreachable .* Its certificates or its key cannot be read/);
    const opened = await openCluster(database.db, TEST_VAULT, 'files');
    const stored = opened?.credentials.kind === 'kubeconfig' ? JSON.parse(opened.credentials.kubeconfig) : null;
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    expect(stored).toMatchObject({
      clusters: [{ cluster: { 'certificate-authority-data': base64(theirs) } }],
      users: [{ user: { 'client-certificate-data': base64(mine), 'client-key-data': base64(key) } }],
    });
    expect((await cluster('show', 'files', '--json')).stdout).not.toMatch(/geheim|Z2VoZWlt/);
  });

  it('refuses files that hold something else', async () => {
    file('ca.crt', 'geheim-4');
    const refused = await cluster('add', 'bad', '--kubeconfig', kubeconfig({ token: 'x' }), '--namespace', 'jobs');
    expect(refused.stderr).toContain('certificate-authority-data holds no CERTIFICATE in PEM');
    expect(refused.stderr).not.toContain('geheim');
  });

  it('refuses a login by program, and says which commands make a service account', async () => {
    file('ca.crt', 'the certificate');
    const path = kubeconfig({ exec: { command: 'aws', args: ['geheim-3'] } });
    const refused = await cluster('add', 'eks', '--kubeconfig', path, '--namespace', 'jobs');
    expect(refused.code).toBe(1);
    for (const part of ['users[u].user.exec', 'kubectl create serviceaccount', 'rolebinding', 'kubectl create token'])
      expect(refused.stderr).toContain(part);
    expect(refused.stderr).not.toContain('geheim');
  });

  it.each([
    [['add', 'x', '--namespace', 'a'], 'Say how the cluster is reached: --in-cluster, or --kubeconfig FILE'],
    [['add', 'x', '--in-cluster'], 'Say where tasks may run: --namespace'],
    [['add', 'x', '--in-cluster', '--server', 'https://x'], 'Give one of --in-cluster and --server.'],
    [['add', 'x', '--server', 'https://x', '--namespace', 'a'], 'needs --server-token-file'],
    [['add', 'x', '--in-cluster', '--context', 'y', '--namespace', 'a'], '--context goes with --kubeconfig'],
    [['add', 'x', '--kubeconfig', '/nowhere', '--namespace', 'a'], 'Cannot read /nowhere'],
    [['add', 'A', '--in-cluster', '--namespace', 'a'], 'lower-case letters'],
    [['check', 'none'], 'There is no cluster "none".'],
    [['remove', 'none'], 'There is no cluster "none".'],
  ])('%j is refused', async (args, message) => {
    expect(await cluster(...args)).toMatchObject({ code: 1, stderr: expect.stringContaining(message) as string });
  });
});
