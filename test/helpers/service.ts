/** A service in pieces, each a real process that can be killed: PostgreSQL, server, scheduler, workers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '../../db/client.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../db/embedded.ts';
import { migrate } from '../../db/migrate.ts';
import { createApiToken } from '../../server/auth/users.ts';
import { startCli, type RunningCli } from './cli.ts';
import { isAlive } from './processes.ts';
import { waitFor } from './wait-for.ts';

export type Piece = 'server' | 'scheduler' | 'worker-a' | 'worker-b';

export interface Service {
  home: string;
  /** Of the test itself; new after PostgreSQL was. */
  database(): Database;
  start(piece: Piece): Promise<void>;
  /** SIGKILL, and it is gone. */
  kill(piece: Piece): Promise<void>;
  /** SIGKILL of the postmaster, then a new one on the same data and port. */
  crashPostgres(): Promise<void>;
  /** SIGKILL of one backend: PostgreSQL throws everybody out and recovers. */
  crashBackend(): Promise<void>;
  output(): string;
  stop(): Promise<void>;
}

const READY: Record<Piece, RegExp> = {
  server: /the API listens/,
  scheduler: /the scheduler runs/,
  'worker-a': /the worker takes tasks/,
  'worker-b': /the worker takes tasks/,
};

export async function createService(environment: { [name: string]: string } = {}): Promise<Service> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-crash-'));
  const postgresPort = await freePort();
  const url = (port: number, from: string) => Object.assign(new URL(from), { port: String(port) }).href;
  // Durable: what it acknowledged must survive its death. The last -p counts.
  const startPostgres = () =>
    startEmbeddedPostgres({ dataDir: join(home, 'postgres'), flags: ['-p', String(postgresPort)] });
  let postgres: EmbeddedPostgres = await startPostgres();
  const databaseUrl = url(postgresPort, postgres.url);
  await migrate(databaseUrl);
  const open = () => createDatabase(databaseUrl, { applicationName: 'crash test', onIdleError: () => undefined });
  let database = open();
  const { token } = await createApiToken(database.db, {
    name: 'worker',
    role: 'worker',
    expiresInDays: 1,
    actor: 'test',
  });
  const port = await freePort();
  const env = {
    MILLRACE_HOME: home,
    DATABASE_URL: databaseUrl,
    MILLRACE_SECRET_KEY: 'ab'.repeat(32),
    MILLRACE_PORT: String(port),
    MILLRACE_URL: `http://127.0.0.1:${port}`,
    MILLRACE_TOKEN: token,
    MILLRACE_WORKER_SLOTS: '8',
    ...environment,
  };
  const running = new Map<Piece, RunningCli>();
  const past: string[] = [];

  const end = async (piece: Piece, signal: NodeJS.Signals) => {
    const cli = running.get(piece);
    running.delete(piece);
    if (!cli) return;
    const { stdout, stderr } = await cli.kill(signal);
    past.push(`--- ${piece}\n${stdout}${stderr}`);
  };

  return {
    home,
    database: () => database,
    async start(piece) {
      const role = piece.startsWith('worker') ? 'worker' : piece;
      const cli = startCli([role], { ...env, ...(role === 'worker' && { MILLRACE_WORKER_NAME: piece }) });
      running.set(piece, cli);
      await cli.sees(READY[piece]);
    },
    kill: (piece) => end(piece, 'SIGKILL'),
    async crashPostgres() {
      const { pid } = postgres;
      process.kill(pid, 'SIGKILL');
      await waitFor(() => !isAlive(pid), { what: 'the postmaster to die' });
      postgres = await startPostgres();
      await database.close();
      database = open();
    },
    async crashBackend() {
      const { rows } = await database.pool.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name = 'millrace engine' limit 1`,
      );
      if (rows[0]) process.kill(rows[0].pid, 'SIGKILL');
    },
    output: () =>
      [...past, ...[...running].map(([piece, cli]) => `--- ${piece}\n${cli.stdout()}${cli.stderr()}`)].join('\n'),
    async stop() {
      await Promise.all([...running.keys()].map((piece) => end(piece, 'SIGKILL')));
      await database.close();
      await postgres.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
