/** Who asks a Kubernetes API, and over which connections. */
import { validateHeaderValue, type Agent, type OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import { CredentialsError, loadCredentials, type ClusterCredentials } from './credentials.ts';

const REREAD_MS = 60_000;

export interface Identity {
  server: URL;
  agent: Agent;
  headers: OutgoingHttpHeaders;
  readAt: number;
}

/** Fixed credentials are read once; those in files or from a program anew each minute, and when they were refused. */
export function createIdentity(credentials: ClusterCredentials) {
  const rotates = credentials.kind === 'in_cluster' || (credentials.kind === 'kubeconfig' && credentials.allowExec);
  let current: Promise<Identity> | null = null;
  let known: Identity | null = null;

  async function read(keepAgent: boolean): Promise<Identity> {
    const config = await loadCredentials(credentials);
    const options: RequestOptions = {};
    try {
      await config.applyToHTTPSOptions(options);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CredentialsError(`The cluster's credentials cannot be used: ${why}`, error);
    }
    const basic = options.auth ? { authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` } : {};
    const agent = keepAgent && known ? known.agent : Object.assign(options.agent as Agent, { keepAlive: true });
    if (known && known.agent !== agent) Object.assign(known.agent, { keepAlive: false });
    const headers = { ...basic, ...(options.headers as OutgoingHttpHeaders | undefined) };
    for (const [name, value] of Object.entries(headers)) checkHeader(name, value);
    known = { server: new URL(config.getCurrentCluster()!.server), agent, headers, readAt: performance.now() };
    return known;
  }

  function start(keepAgent: boolean): Promise<Identity> {
    const reading = read(keepAgent);
    current = reading;
    reading.catch(() => {
      if (current === reading) current = null;
    });
    return reading;
  }

  return {
    get(): Promise<Identity> {
      const stale = rotates && known && performance.now() - known.readAt > REREAD_MS;
      return current && !stale ? current : start(true);
    },
    /** After a refusal: true when asking again may go better. */
    async renew(refused: Identity): Promise<boolean> {
      if (!rotates) return false;
      const { headers } = await (known === refused ? start(false) : this.get());
      return headers['Authorization'] !== refused.headers['Authorization'];
    },
    destroy: () => known?.agent.destroy(),
  };
}

/** Node's own words tell neither whose header it is nor what to do. */
function checkHeader(name: string, value: OutgoingHttpHeaders[string]): void {
  try {
    for (const each of [value ?? ''].flat()) validateHeaderValue(name, String(each));
  } catch (error) {
    const of = name.toLowerCase() === 'authorization' ? 'their token' : `what they say for ${name}`;
    throw new CredentialsError(
      `The cluster's credentials cannot be used: ${of} has a character that cannot be sent, such as a line break.`,
      error,
    );
  }
}

/** No message of ours may hold a token, whatever an API server echoes. */
export function withoutSecrets(text: string, { headers }: Identity): string {
  const header = headers['Authorization'] ?? headers['authorization'];
  const secret = typeof header === 'string' ? header.replace(/^\w+ /, '') : '';
  return secret.length < 8 ? text : text.replaceAll(secret, '***');
}
