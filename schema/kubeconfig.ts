/** What of a kubeconfig is needed to reach one cluster, and whether that may be kept. No message names a secret. */
import { isAlias, parseDocument, visit } from 'yaml';
import { didYouMean } from '#sdk/near-match.ts';
import { isPlainObject, type Plain } from '#sdk/spec-fields.ts';

export interface ReadKubeconfig {
  /** With the chosen context alone, as JSON. */
  kubeconfig: string;
  context: string;
  server: string;
  /** The certificate of the server is not checked. */
  insecure: boolean;
  /** That the context presets. */
  namespace: string | null;
}

/** It cannot be used; the message says where, and what to do. */
export class KubeconfigError extends Error {
  /** `exec` and the like: it asks for a program. */
  readonly runsProgram: boolean;
  constructor(message: string, { runsProgram = false, ...options }: ErrorOptions & { runsProgram?: boolean } = {}) {
    super(message, options);
    this.name = 'KubeconfigError';
    this.runsProgram = runsProgram;
  }
}

export interface ReadKubeconfigOptions {
  /** Null: the current one of the file. */
  context: string | null;
  /** Reads what the file names, where that may be read; otherwise files are refused. */
  readFile?: (path: string) => Buffer;
}

const MOST_CHARACTERS = 262_144;

/** Names of fields that hold the path of a file, with those that hold its content. */
const FILE_FIELDS: { [field: string]: string } = {
  'certificate-authority': 'certificate-authority-data',
  'client-certificate': 'client-certificate-data',
  'client-key': 'client-key-data',
  tokenFile: 'token',
};
const PEM_FIELDS: { [field: string]: string } = {
  'certificate-authority-data': 'CERTIFICATE',
  'client-certificate-data': 'CERTIFICATE',
  'client-key-data': 'PRIVATE KEY',
};
const CLUSTER_FIELDS = [
  'server',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'proxy-url',
];
const USER_FIELDS = ['token', 'client-certificate-data', 'client-key-data', 'username', 'password', 'as'];

/** @throws KubeconfigError */
export function readKubeconfig(text: string, { context: wanted, readFile }: ReadKubeconfigOptions): ReadKubeconfig {
  const config = parse(text);
  const context = wanted ?? config['current-context'];
  if (typeof context !== 'string' || context === '')
    throw new KubeconfigError(`It has no current context: say which one. ${namesIn(config, 'contexts')}`);
  const chosen = find(config, 'contexts', 'context', context);
  const cluster = find(config, 'clusters', 'cluster', chosen['cluster']);
  const user = find(config, 'users', 'user', chosen['user']);
  refusePrograms(user, `users[${String(chosen['user'])}].user`);
  const part = { ...embedFiles(cluster, readFile), server: serverOf(cluster, String(chosen['cluster'])) };
  const who = embedFiles(user, readFile);
  if (who['token'] === undefined && who['client-certificate-data'] === undefined && who['username'] === undefined)
    throw new KubeconfigError(
      `users[${String(chosen['user'])}].user has neither a token nor a client certificate: nobody would be signed in.`,
    );
  if (who['token'] !== undefined && !(typeof who['token'] === 'string' && /^[\x21-\x7e]+$/.test(who['token'])))
    throw new KubeconfigError(
      `users[${String(chosen['user'])}].user: its token must be one word of ASCII characters, and quoted if it looks like a number.`,
    );
  const kept = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: pick(part, CLUSTER_FIELDS) }],
    users: [{ name: 'user', user: pick(who, USER_FIELDS) }],
    contexts: [{ name: context, context: { cluster: 'cluster', user: 'user' } }],
    'current-context': context,
  };
  return {
    kubeconfig: JSON.stringify(kept),
    context,
    server: part.server,
    insecure: cluster['insecure-skip-tls-verify'] === true,
    namespace: textIn(chosen, 'namespace') ?? null,
  };
}

function parse(text: string): Plain {
  if (text.length > MOST_CHARACTERS) throw new KubeconfigError(`It has more than ${MOST_CHARACTERS} characters.`);
  const document = parseDocument(text);
  // The parser's own words quote the line, which may hold a key
  if (document.errors.length > 0)
    throw new KubeconfigError(`It is not valid YAML, at line ${document.errors[0]!.linePos?.[0].line ?? 1}.`);
  let aliases = 0;
  visit(document, (_key, node) => void (aliases += isAlias(node) ? 1 : 0));
  if (aliases > 0) throw new KubeconfigError('It has YAML aliases: write out what they stand for.');
  const config: unknown = document.toJS();
  if (isPlainObject(config)) return config;
  throw new KubeconfigError('It is no kubeconfig: give the whole file, with clusters, users and contexts.');
}

const entriesOf = (config: Plain, list: string): Plain[] => {
  const entries: unknown = config[list];
  return Array.isArray(entries) ? entries.filter(isPlainObject) : [];
};

function namesIn(config: Plain, list: string): string {
  const names = entriesOf(config, list).map((entry) => String(entry['name']));
  return names.length > 0 ? `Its ${list}: ${names.slice(0, 50).join(', ')}.` : `It has no ${list}.`;
}

/** The part `field` of the entry of this name in `list`. */
function find(config: Plain, list: string, field: string, name: unknown): Plain {
  const entries = entriesOf(config, list);
  const entry = entries.find((each) => each['name'] === name);
  const part = entry?.[field];
  if (isPlainObject(part)) return part;
  if (entry) throw new KubeconfigError(`${list}[${String(name)}] has no ${field}: it must be a mapping.`);
  const names = entries.map((entry) => String(entry['name']));
  throw new KubeconfigError(
    `It has no ${field} '${String(name)}'.${didYouMean(String(name), names)} ${namesIn(config, list)}`,
  );
}

const textIn = (entry: Plain, field: string): string | undefined => {
  const value = entry[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** It would run here whatever whoever wrote the file likes. */
function refusePrograms(user: Plain, where: string): void {
  for (const field of ['exec', 'auth-provider'])
    if (user[field] != null)
      throw new KubeconfigError(
        `${where}.${field} signs in by running a program, which Millrace does not. Use the token of a service account.`,
        { runsProgram: true },
      );
}

/** With the content of files in the place of their names. */
function embedFiles(entry: Plain, readFile: ReadKubeconfigOptions['readFile']): Plain {
  const embedded = { ...entry };
  for (const [field, target] of Object.entries(FILE_FIELDS)) {
    const path = textIn(entry, field);
    if (path === undefined || textIn(entry, target) !== undefined) continue;
    if (!readFile)
      throw new KubeconfigError(
        `${field} names the file ${path}, which is not here. Add the cluster with "millrace cluster add", or embed it: "kubectl config view --raw --flatten".`,
      );
    const content = readFile(path);
    embedded[target] = target === 'token' ? content.toString('utf8').trim() : content.toString('base64');
  }
  for (const [field, kind] of Object.entries(PEM_FIELDS)) {
    const content = textIn(embedded, field);
    if (
      content !== undefined &&
      !new RegExp(`-----BEGIN [A-Z ]*${kind}-----`).test(Buffer.from(content, 'base64').toString('latin1'))
    )
      throw new KubeconfigError(`${field} holds no ${kind} in PEM, in base64.`);
  }
  return embedded;
}

function serverOf(cluster: Plain, name: string): string {
  const problem = serverProblem(textIn(cluster, 'server') ?? '', cluster['insecure-skip-tls-verify'] === true);
  if (problem !== null) throw new KubeconfigError(`clusters[${name}].cluster.server: ${problem}`);
  return (cluster['server'] as string).replace(/\/+$/, '');
}

/** Null: it may be the address of a cluster's API. */
export function serverProblem(server: string, insecure: boolean): string | null {
  const url = URL.canParse(server) ? new URL(server) : null;
  if (!url || !/^https?:$/.test(url.protocol)) return 'It must be an address such as https://host:6443.';
  if (url.username || url.password) return 'It holds a user or a password: give credentials apart.';
  if (url.protocol === 'http:' && !insecure) return 'Over plain http anybody on the way reads the token: use https.';
  return null;
}

const pick = (entry: Plain, fields: readonly string[]): Plain =>
  Object.fromEntries(fields.filter((field) => entry[field] !== undefined).map((field) => [field, entry[field]]));
