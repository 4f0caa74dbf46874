/** Who asks a Kubernetes API, and over which connections. */
import type { Agent, OutgoingHttpHeaders } from 'node:http';
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

/** No message of ours may hold a token, whatever an API server echoes. */
export function withoutSecrets(text: string, { headers }: Identity): string {
  const header = headers['Authorization'] ?? headers['authorization'];
  const secret = typeof header === 'string' ? header.replace(/^\w+ /, '') : '';
  return secret.length < 8 ? text : text.replaceAll(secret, '***');
}
