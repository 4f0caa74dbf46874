/** Connections: what a task needs to reach something, under a name. */
import type { ConnectionValue, Json } from './protocol.ts';
import { findUnstorable } from './storable.ts';

/** What a connection leads to. `generic`: whatever its task makes of it. */
export const CONNECTION_KINDS = ['postgres', 'http', 'smtp', 'slack', 'webhook', 'generic'] as const;
/** What messages to people and other systems go over. */
export const MESSAGE_KINDS = ['webhook', 'slack', 'smtp'] as const satisfies readonly ConnectionKind[];
export type ConnectionKind = (typeof CONNECTION_KINDS)[number];

/** Ids of connections and keys of variables. */
export const VALUE_NAME_PATTERN = /^[A-Za-z0-9_.-]{1,200}$/;

export interface ConnectionFields {
  kind: ConnectionKind;
  description: string | null;
  host: string | null;
  port: number | null;
  schema: string | null;
  login: string | null;
  password: string | null;
  /** Settings that everybody may see. */
  extra: { [key: string]: Json };
  /** Settings that nobody gets to see again. */
  secretExtra: { [key: string]: Json };
}

/** By its name a value is a secret. */
export const looksSecret = (name: string): boolean =>
  /pass(word|wd|phrase|code)|secret|token|api_?key|private_?key|access_?key|authorization|credential|keyfile/i.test(
    name,
  );

const SCHEMES: { [scheme: string]: ConnectionKind } = {
  postgres: 'postgres',
  postgresql: 'postgres',
  http: 'http',
  https: 'http',
  smtp: 'smtp',
  smtps: 'smtp',
  slack: 'slack',
  slackwebhook: 'slack',
  webhook: 'webhook',
  generic: 'generic',
};

/**
 * Reads `postgres://user:password@host:5432/database?sslmode=require`. Percent-escapes are decoded; the query is `extra`, of it what
 * looks secret by its name goes to `secretExtra`. A string says what is wrong.
 */
export function parseConnectionUri(uri: string): ConnectionFields | string {
  const [, written = ''] = /^([A-Za-z][\w+.-]*):\/\//.exec(uri) ?? [];
  const kind = SCHEMES[written.toLowerCase().replaceAll('_', '-').replace(/\+.*/, '')];
  if (!written) return 'It is no URI. Write kind://login:password@host:port/schema?setting=value.';
  if (!kind) return `'${written}' is no kind of connection. Kinds: ${Object.keys(SCHEMES).join(', ')}.`;
  // The URL class treats hosts and ports of schemes that it knows in a way of its own
  const rest = uri.slice(written.length + 1).replace(/[\t\n\r]/g, '');
  const parts = `x:${rest.trimEnd()}`;
  if (!URL.canParse(parts))
    return 'It is no URI: escape special characters of login and password (@ is %40, / is %2F).';
  const url = new URL(parts);
  const [, path = ''] = /^x:\/\/[^/?#]*\/?([^?#]*)/.exec(parts) ?? [];
  const settings = Object.fromEntries(url.searchParams);
  const secret = (wanted: boolean) =>
    Object.fromEntries(Object.entries(settings).filter(([name]) => looksSecret(name) === wanted));
  try {
    const host = decodeURIComponent(url.hostname.replace(/^\[|\]$/g, ''));
    const secure = written.toLowerCase() === 'https' && host !== '' && !host.includes('://');
    return {
      kind,
      description: null,
      host: host === '' ? null : secure ? `https://${host}` : host,
      port: url.port === '' ? null : Number(url.port),
      // As it is written: the class resolves . and .., and they may be names
      schema: decodeURIComponent(path) || null,
      login: decodeURIComponent(url.username) || null,
      password: decodeURIComponent(url.password) || null,
      extra: { ...(written.toLowerCase() === 'smtps' && { tls: true }), ...secret(false) },
      secretExtra: secret(true),
    };
  } catch {
    return 'It has a % that is no escape: write %25 for the character itself.';
  }
}

const SCHEME_OF: { [Kind in ConnectionKind]: string } = {
  postgres: 'postgresql',
  http: 'http',
  smtp: 'smtp',
  slack: 'slack',
  webhook: 'webhook',
  generic: 'generic',
};

/** As a URI, secrets and all: for programs that take one. */
export function connectionUri(connection: ConnectionValue): string {
  const { kind, login, password, port, schema, extra } = connection;
  const [, scheme = SCHEME_OF[kind as ConnectionKind] ?? kind, host = ''] =
    /^(?:(https?):\/\/)?(.*)$/.exec(connection.host ?? '') ?? [];
  const who =
    login === null && password === null
      ? ''
      : `${escape(login ?? '')}${password === null ? '' : `:${escape(password)}`}@`;
  const at = host.includes(':') ? `[${host}]` : host.includes('/') ? escape(host) : host;
  const query = Object.entries(extra).map(([name, value]) => `${escape(name)}=${escape(asText(value))}`);
  return `${scheme}://${who}${at}${port === null ? '' : `:${port}`}${schema === null ? '' : `/${escape(schema)}`}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}

const escape = (text: string): string => encodeURIComponent(text);
const asText = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));

const MOST_TEXT = 2_000;
const MOST_SECRET = 65_536;

/** What is wrong with a connection, by field; empty when it can be stored. */
export function connectionIssues(fields: ConnectionFields): { field: string; message: string }[] {
  const issues: { field: string; message: string }[] = [];
  const report = (field: string, message: string) => issues.push({ field, message });
  for (const field of ['description', 'host', 'schema', 'login'] as const)
    if ((fields[field]?.length ?? 0) > MOST_TEXT) report(field, `At most ${MOST_TEXT} characters.`);
  if ((fields.password?.length ?? 0) > MOST_SECRET) report('password', `At most ${MOST_SECRET} characters.`);
  const { port, host, kind } = fields;
  if (port !== null && !(Number.isInteger(port) && port > 0 && port < 65_536))
    report('port', 'A port is from 1 to 65535.');
  for (const field of ['extra', 'secretExtra'] as const)
    if (JSON.stringify(fields[field]).length > MOST_SECRET) report(field, `At most ${MOST_SECRET} characters as JSON.`);
  for (const [field, value] of Object.entries(fields)) {
    const unstorable = findUnstorable(value);
    if (unstorable) report(field, unstorable.message);
  }
  if ((kind === 'postgres' || kind === 'http' || kind === 'smtp' || kind === 'webhook') && !host)
    report('host', `A connection of kind ${kind} needs a host.`);
  if (kind === 'slack' && !fields.password && !host)
    report(
      'password',
      'A connection of kind slack needs the token of its webhook as password, or its address as host.',
    );
  return issues;
}
