import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig, type ConfigRole, type Environment } from '#server/config.ts';

function mistakesOf(role: ConfigRole, environment: Environment): string[] {
  try {
    readConfig(role, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('readConfig', () => {
  it('needs nothing for start', () => {
    const config = readConfig('start', {});
    expect(config).toMatchObject({ host: '127.0.0.1', port: 4400, databaseUrl: null, graphiql: true });
    expect(config.worker.slots).toBeGreaterThanOrEqual(4);
  });

  it('reports every mistake at once and never repeats a value', () => {
    const mistakes = mistakesOf('start', {
      MILLRACE_PORT: 'eighty',
      DATABASE_URL: 'mysql://root:hunter2@db/x',
      MILLRACE_SECRET_KEY: 'hunter2',
      MILLRACE_WORKER_SLOTS: '0',
      MILLRACE_LOG_LEVEL: 'loud',
    });
    expect(mistakes.map((mistake) => mistake.split(':')[0])).toEqual([
      'MILLRACE_PORT',
      'DATABASE_URL',
      'MILLRACE_SECRET_KEY',
      'MILLRACE_WORKER_SLOTS',
      'MILLRACE_LOG_LEVEL',
    ]);
    expect(mistakes.join('\n')).not.toContain('hunter2');
  });

  it('names what a production role cannot do without', () => {
    expect(mistakesOf('server', {}).map((mistake) => mistake.split(':')[0])).toEqual([
      'DATABASE_URL',
      'MILLRACE_SECRET_KEY',
    ]);
    expect(mistakesOf('worker', {}).map((mistake) => mistake.split(':')[0])).toEqual([
      'MILLRACE_URL',
      'MILLRACE_TOKEN',
    ]);
    expect(mistakesOf('migrate', { DATABASE_URL: 'postgres://h/d' })).toEqual([]);
  });

  it('refuses a misspelt variable and says which was meant', () => {
    expect(mistakesOf('start', { MILLRACE_PROT: '1' })).toEqual([
      "MILLRACE_PROT: there is no such variable. Did you mean 'MILLRACE_PORT'?",
    ]);
  });

  it('names what the log store cannot do without', () => {
    const given = { DATABASE_URL: 'postgres://h/d', MILLRACE_SECRET_KEY: '0'.repeat(64) };
    const needed = (store: string) =>
      mistakesOf('scheduler', { ...given, MILLRACE_LOG_STORE: store }).map((one) => one.split('. ')[0]);
    expect(needed('s3')).toEqual(['MILLRACE_LOG_S3_BUCKET: needed by the log store "s3"']);
    expect(needed('elasticsearch')).toEqual([
      'MILLRACE_LOG_ELASTICSEARCH_URL: needed by the log store "elasticsearch"',
    ]);
    expect(needed('file')).toEqual(['MILLRACE_LOG_FOLDER: needed by the log store "file"']);
    expect(needed('postgres')).toEqual([]);
    expect(mistakesOf('start', { MILLRACE_LOG_STORE: 'file' })).toEqual([]);
    expect(mistakesOf('start', { MILLRACE_LOG_STORE: 'gcs' })).toEqual([expect.stringContaining('MILLRACE_LOG_STORE')]);
  });

  it('names one cluster at most', () => {
    const both = { MILLRACE_IN_CLUSTER: 'true', MILLRACE_KUBECONFIG: '/etc/kubeconfig' };
    expect(mistakesOf('start', both)).toEqual([
      'MILLRACE_IN_CLUSTER: not together with MILLRACE_KUBECONFIG, both name the cluster `default`.',
    ]);
    expect(mistakesOf('start', { MILLRACE_KUBE_NAMESPACES: 'a, B' })).toHaveLength(1);
    const { kubernetes } = readConfig('start', { KUBECONFIG: '/theirs', MILLRACE_KUBE_NAMESPACES: 'a, b' });
    expect(kubernetes).toMatchObject({ kubeconfig: null, inCluster: false, hint: true, namespaces: ['a', 'b'] });
  });

  it('overlooks the variables that Kubernetes makes of a service called millrace', () => {
    const config = readConfig('start', {
      MILLRACE_PORT: 'tcp://10.0.0.1:80',
      MILLRACE_PORT_80_TCP: 'tcp://10.0.0.1:80',
      MILLRACE_SERVICE_HOST: '10.0.0.1',
    });
    expect(config.port).toBe(4400);
  });

  it('takes an empty variable as not given', () => {
    expect(readConfig('start', { MILLRACE_PORT: '', DATABASE_URL: ' ' })).toMatchObject({
      port: 4400,
      databaseUrl: null,
    });
  });

  it('reads sizes, lists and keys', () => {
    const key = 'ab'.repeat(32);
    const config = readConfig('start', {
      MILLRACE_SECRET_KEY: key,
      MILLRACE_WORKER_QUEUES: 'default, gpu',
      MILLRACE_WORKER_TASK_MEMORY: '512Mi',
    });
    expect(config.secretKey?.toString('hex')).toBe(key);
    expect(config.worker).toMatchObject({ queues: ['default', 'gpu'], taskMemory: 512 * 2 ** 20 });
  });
});
