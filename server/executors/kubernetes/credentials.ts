/** From the stored credentials of a cluster to where it is, how it proves itself, and who we are there. */
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import { parse } from 'yaml';

export type ClusterCredentials =
  /** The service account of the Pod this process runs in. `folderPrefix` comes before the well-known folder. */
  | { kind: 'in_cluster'; folderPrefix?: string }
  /** `context`: null takes the file's current one. */
  | { kind: 'kubeconfig'; kubeconfig: string; context: string | null; allowExec?: boolean }
  /** `ca`: PEM text; null trusts what the system trusts. `insecure`: any certificate, or none at all. */
  | { kind: 'token'; server: string; token: string; ca: string | null; insecure?: boolean };

/** The credentials themselves are no good; the message says what and where. */
export class CredentialsError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CredentialsError';
  }
}

type Entry = Record<string, unknown>;
const isEntry = (value: unknown): value is Entry =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What runs a program or reads a file of this machine: a kubeconfig that somebody else wrote could so run
 * anything here, or send any file to a server of its choice.
 */
const REFUSED: { [field: string]: string } = {
  exec: 'runs a program on the service. Use a service account token',
  'auth-provider': 'needs a login program. Use a service account token',
  'client-certificate': 'names a file. Embed it as client-certificate-data',
  'client-key': 'names a file. Embed it as client-key-data',
  tokenFile: 'names a file. Embed it as token',
  'token-file': 'names a file. Embed it as token',
  'certificate-authority': 'names a file. Embed it as certificate-authority-data',
};
const RUNS_PROGRAMS = new Set(['exec', 'auth-provider']);

function refuse(entry: Entry, where: string, allowExec: boolean): void {
  for (const [field, why] of Object.entries(REFUSED)) {
    if (entry[field] === undefined || entry[field] === null || (allowExec && RUNS_PROGRAMS.has(field))) continue;
    throw new CredentialsError(`${where}.${field} ${why} (\`kubectl config view --raw --flatten\` embeds files).`);
  }
}

function readYaml(text: string): Entry {
  try {
    const parsed: unknown = parse(text, { maxAliasCount: 10 });
    if (isEntry(parsed)) return parsed;
  } catch (error) {
    throw new CredentialsError('The kubeconfig is not valid YAML.', error);
  }
  throw new CredentialsError(
    'The kubeconfig is not a mapping: give the whole file, with clusters, users and contexts.',
  );
}

/** The part `field` of the entry called `name` in the list `list`. */
function find(config: Entry, list: string, field: string, name: unknown): Entry {
  const entries: unknown[] = Array.isArray(config[list]) ? config[list] : [];
  const entry = entries.find((each) => isEntry(each) && each['name'] === name);
  const part = isEntry(entry) ? entry[field] : undefined;
  if (isEntry(part)) return part;
  const known = entries.flatMap((each) => (isEntry(each) ? [String(each['name'])] : []));
  throw new CredentialsError(
    `The kubeconfig has no ${field} ${JSON.stringify(name)} in ${list}; it has: ${known.join(', ') || 'none'}.`,
  );
}

const textIn = (entry: Entry, field: string): string | undefined => {
  const value = entry[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

function checkServer(server: string | undefined, skipTLSVerify: boolean, where: string): string {
  const url = server !== undefined && URL.canParse(server) ? new URL(server) : null;
  if (!server || !url || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new CredentialsError(
      `${where} is ${JSON.stringify(server ?? null)}; it must be an address such as https://host:6443.`,
    );
  if (url.protocol === 'http:' && !skipTLSVerify)
    throw new CredentialsError(`${where} is plain http, over which a token can be read by anybody: use https.`);
  if (url.username || url.password) throw new CredentialsError(`${where} holds credentials: give them apart.`);
  return server.replace(/\/+$/, '');
}

interface Parts {
  cluster: Cluster;
  user: User;
}

function partsOfKubeconfig(text: string, context: string | null, allowExec: boolean): Parts {
  const config = readYaml(text);
  const named = find(config, 'contexts', 'context', context ?? config['current-context']);
  const cluster = find(config, 'clusters', 'cluster', named['cluster']);
  const user = find(config, 'users', 'user', named['user']);
  refuse(cluster, `clusters[${String(named['cluster'])}].cluster`, allowExec);
  refuse(user, `users[${String(named['user'])}].user`, allowExec);
  const skipTLSVerify = cluster['insecure-skip-tls-verify'] === true;
  return {
    cluster: {
      name: 'cluster',
      server: checkServer(textIn(cluster, 'server'), skipTLSVerify, `clusters[${String(named['cluster'])}].server`),
      caData: textIn(cluster, 'certificate-authority-data'),
      skipTLSVerify,
      tlsServerName: textIn(cluster, 'tls-server-name'),
      proxyUrl: textIn(cluster, 'proxy-url'),
    },
    user: {
      name: 'user',
      token: textIn(user, 'token'),
      certData: textIn(user, 'client-certificate-data'),
      keyData: textIn(user, 'client-key-data'),
      username: textIn(user, 'username'),
      password: textIn(user, 'password'),
      impersonateUser: textIn(user, 'as'),
      ...(allowExec
        ? { exec: user['exec'] as User['exec'], authProvider: user['auth-provider'] as User['authProvider'] }
        : {}),
    },
  };
}

function partsOfToken({ server, token, ca, insecure = false }: ClusterCredentials & { kind: 'token' }): Parts {
  return {
    cluster: {
      name: 'cluster',
      server: checkServer(server, insecure, 'The server'),
      skipTLSVerify: insecure,
      ...(ca === null ? {} : { caData: Buffer.from(ca).toString('base64') }),
    },
    user: { name: 'user', token: token.trim() },
  };
}

/**
 * A configuration that belongs to this cluster alone.
 * @throws CredentialsError
 */
export async function loadCredentials(credentials: ClusterCredentials): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (credentials.kind === 'in_cluster') {
    config.loadFromCluster(credentials.folderPrefix);
    if (config.getCurrentCluster()?.server.includes('undefined'))
      throw new CredentialsError('This process runs in no Pod: KUBERNETES_SERVICE_HOST is not set.');
    return config;
  }
  const { cluster, user } =
    credentials.kind === 'token'
      ? partsOfToken(credentials)
      : partsOfKubeconfig(credentials.kubeconfig, credentials.context, credentials.allowExec ?? false);
  config.loadFromClusterAndUser(cluster, user);
  return config;
}
