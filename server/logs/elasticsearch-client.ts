/** Requests to Elasticsearch 7.8 to 9, or OpenSearch: what both understand in the same way. */
import { anyOf } from '../abort.ts';

export interface ElasticsearchConfig {
  url: string;
  apiKey: string | null;
  user: string | null;
  password: string | null;
  /** Indexes are called `<index>-<period>`. */
  index: string;
  period: 'day' | 'month';
}

export interface ElasticsearchClient {
  /** Rejects with an ElasticsearchError unless the status is of success. */
  request<T>(method: 'GET' | 'PUT' | 'POST', path: string, body?: object | string): Promise<T>;
}

export class ElasticsearchError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'ElasticsearchError';
    this.status = status;
  }
}

const TIMEOUT_MS = 60_000;

export function createElasticsearchClient(config: Omit<ElasticsearchConfig, 'index' | 'period'>): ElasticsearchClient {
  const base = config.url.replace(/\/+$/, '');
  const authorization = authorizationOf(config);
  return {
    async request<T>(method: string, path: string, body?: object | string): Promise<T> {
      const isLines = typeof body === 'string';
      const { signal, release } = anyOf([], { timeoutMs: TIMEOUT_MS });
      try {
        const response = await fetch(`${base}${path}`, {
          method,
          signal,
          headers: {
            ...(body !== undefined && { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' }),
            ...(authorization !== null && { authorization }),
          },
          ...(body !== undefined && { body: isLines ? body : JSON.stringify(body) }),
        });
        const text = await response.text();
        if (!response.ok) throw new ElasticsearchError(response.status, `${response.status} ${reasonOf(text)}`);
        return JSON.parse(text) as T;
      } catch (error) {
        if (error instanceof ElasticsearchError) throw error;
        const cause = (error as Error).cause ?? error;
        throw new Error(`${base} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause: error,
        });
      } finally {
        release();
      }
    },
  };
}

function authorizationOf({ apiKey, user, password }: Pick<ElasticsearchConfig, 'apiKey' | 'user' | 'password'>) {
  if (apiKey !== null) return `ApiKey ${apiKey}`;
  return user === null ? null : `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`;
}

const MOST_CHARACTERS = 300;

/** What it says itself, where it says it as it does usually. */
function reasonOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { type?: string; reason?: string } | string };
    if (typeof error === 'string') return error.slice(0, MOST_CHARACTERS);
    if (error?.type !== undefined) return `${error.type}: ${error.reason ?? ''}`.slice(0, MOST_CHARACTERS);
  } catch {
    // A proxy speaks
  }
  return text.slice(0, MOST_CHARACTERS);
}
