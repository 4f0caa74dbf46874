import { createListener, type Listener } from '#db/listen.ts';
import type { ApiTokenRole } from '#db/queries/api-tokens.ts';
import { createApiToken, createLoginLink } from '#server/auth/users.ts';
import { createApp, type App, type AppDeps } from '#server/http/app.ts';
import { createLogger } from '#server/log.ts';
import { Writable } from 'node:stream';
import type { TestDatabase } from './database.ts';
import { createTestEngine, TEST_VAULT, type TestEngine } from './engine.ts';

export interface TestApp extends App {
  engine: TestEngine;
  listener: Listener;
  /** What was logged, as parsed JSON lines. */
  logged: { [field: string]: unknown }[];
  /** A fresh bearer token of the role. */
  token(role: ApiTokenRole): Promise<string>;
  /** A fresh session's cookie header. */
  cookie(name?: string, role?: 'viewer' | 'editor' | 'admin'): Promise<string>;
  post(body: unknown, headers?: { [name: string]: string }): Promise<Response>;
  /** Runs an operation and returns the whole result. */
  graphql(query: string, variables?: object, token?: string): Promise<GraphqlResult>;
}

export interface GraphqlResult {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test looks into whatever it asked for
  data?: any;
  errors?: { message: string; path?: string[]; extensions?: { code?: string; errorId?: string } }[];
}

export const TEST_KEY = Buffer.alloc(32, 7);

/** The server on a free port with a real engine. Stop it before the database goes. */
export async function startTestApp(database: TestDatabase, options: Partial<AppDeps> = {}): Promise<TestApp> {
  const { db, pool, url } = database;
  const logged: TestApp['logged'] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).split('\n')) if (line) logged.push(JSON.parse(line));
      done();
    },
  });
  const engine = createTestEngine(database);
  const listener = createListener(url, { applicationName: 'test listener' });
  const app = createApp({
    db,
    pool,
    listener,
    engine,
    log: createLogger({ level: 'debug', format: 'json', destination }),
    secretKey: TEST_KEY,
    vault: TEST_VAULT,
    version: 'test',
    webRoot: '/nowhere',
    ...options,
  });
  await listener.start();
  await app.start(0);
  const post: TestApp['post'] = (body, headers = {}) =>
    fetch(`${app.url()}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    ...app,
    engine,
    listener,
    logged,
    async token(role) {
      return (await createApiToken(db, { name: role, role, expiresInDays: 1, actor: 'test' })).token;
    },
    async cookie(name = 'ada', role = 'admin') {
      const link = await createLoginLink(db, { name, role });
      const response = await fetch(`${app.url()}${link}`, { redirect: 'manual' });
      return response.headers.get('set-cookie')?.split(';')[0] ?? '';
    },
    post,
    async graphql(query, variables = {}, token) {
      const response = await post({ query, variables }, token ? { authorization: `Bearer ${token}` } : {});
      return (await response.json()) as GraphqlResult;
    },
    async stop() {
      await app.stop();
      await engine.stop();
      await listener.stop();
    },
  };
}
