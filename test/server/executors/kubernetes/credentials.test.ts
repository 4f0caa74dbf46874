import { describe, expect, it } from 'vitest';
import { loadCredentials, type ClusterCredentials } from '#server/executors/kubernetes/credentials.ts';

interface Written {
  cluster?: object;
  user?: object;
  current?: string;
}
const kubeconfig = ({ cluster = {}, user = { token: 'secret' }, current = 'a' }: Written = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': current,
    clusters: [
      { name: 'c', cluster: { server: 'https://one.example:6443', ...cluster } },
      { name: 'd', cluster: { server: 'https://two.example' } },
    ],
    users: [
      { name: 'u', user },
      { name: 'v', user: { token: 'other' } },
    ],
    contexts: [
      { name: 'a', context: { cluster: 'c', user: 'u' } },
      { name: 'b', context: { cluster: 'd', user: 'v' } },
    ],
  });
const load = (text: string, more: Partial<ClusterCredentials & { kind: 'kubeconfig' }> = {}) =>
  loadCredentials({ kind: 'kubeconfig', kubeconfig: text, context: null, ...more });

describe('credentials of a cluster', () => {
  it('take the context they are told to', async () => {
    const current = await load(kubeconfig());
    expect(current.getCurrentCluster()?.server).toBe('https://one.example:6443');
    expect(current.getCurrentUser()?.token).toBe('secret');
    const other = await load(kubeconfig(), { context: 'b' });
    expect(other.getCurrentCluster()?.server).toBe('https://two.example');
    expect(other.getCurrentUser()?.token).toBe('other');
  });

  it.each([
    ['exec', { user: { exec: { command: '/bin/sh' } } }, 'users[u].user.exec runs a program'],
    ['auth-provider', { user: { 'auth-provider': { name: 'gcp' } } }, 'users[u].user.auth-provider needs a login'],
    ['token-file', { user: { 'token-file': '/etc/passwd' } }, 'users[u].user.token-file names a file'],
    ['tokenFile', { user: { tokenFile: '/etc/passwd' } }, 'users[u].user.tokenFile names a file'],
    ['client-key', { user: { 'client-key': '/etc/passwd' } }, 'users[u].user.client-key names a file'],
    ['client-certificate', { user: { 'client-certificate': '/x' } }, 'users[u].user.client-certificate names'],
    [
      'certificate-authority',
      { cluster: { 'certificate-authority': '/x' } },
      'clusters[c].cluster.certificate-authority',
    ],
  ])('of somebody else run nothing and read no file here: %s', async (_name, written, message) => {
    await expect(load(kubeconfig(written))).rejects.toThrow(message);
  });

  it('run a program only where that is allowed, and read no file even there', async () => {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'get-token' };
    const allowed = await load(kubeconfig({ user: { exec } }), { allowExec: true });
    expect(allowed.getCurrentUser()?.exec).toEqual(exec);
    await expect(load(kubeconfig({ user: { tokenFile: '/x' } }), { allowExec: true })).rejects.toThrow('names a file');
  });

  it.each([
    ['[1, 2]', 'not a mapping'],
    ['a: [', 'not valid YAML'],
    ['', 'not a mapping'],
    [kubeconfig({ current: 'zzz' }), 'no context "zzz" in contexts; it has: a, b.'],
    [kubeconfig({ cluster: { server: 'one.example' } }), 'must be an address such as https://host:6443'],
    [kubeconfig({ cluster: { server: 'http://one.example' } }), 'plain http'],
    [kubeconfig({ cluster: { server: 'file:///etc/passwd' } }), 'must be an address'],
    [kubeconfig({ cluster: { server: 'https://me:secret@one.example' } }), 'holds credentials'],
  ])('that are no good say why: %j', async (text, message) => {
    await expect(load(text)).rejects.toThrow(message);
  });

  it('may be a server with a token', async () => {
    const config = await loadCredentials({ kind: 'token', server: 'https://x.example/', token: ' t\n', ca: 'PEM' });
    expect(config.getCurrentCluster()).toMatchObject({ server: 'https://x.example', skipTLSVerify: false });
    expect(Buffer.from(config.getCurrentCluster()!.caData!, 'base64').toString()).toBe('PEM');
    expect(config.getCurrentUser()?.token).toBe('t');
    const plain = { kind: 'token' as const, server: 'http://x.example', token: 't', ca: null };
    await expect(loadCredentials(plain)).rejects.toThrow('plain http');
    await expect(loadCredentials({ ...plain, insecure: true })).resolves.toBeDefined();
  });

  it('of a Pod need one', async () => {
    await expect(loadCredentials({ kind: 'in_cluster' })).rejects.toThrow('This process runs in no Pod');
  });
});
