/** A whole service as it stands in production, every process of it real, every line between them one that can fail. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '../../../db/client.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../../db/embedded.ts';
import { migrate } from '../../../db/migrate.ts';
import { createApiToken } from '../../../server/auth/users.ts';
import { startCli, type RunningCli } from '../../helpers/cli.ts';
import { openFaultyLine, type FaultyLine } from '../../helpers/faulty-line.ts';
import { isAlive, signalTree } from '../../helpers/processes.ts';
import { startTestRedis, type TestRedis } from '../../helpers/redis.ts';
import { freePort } from '../../helpers/service.ts';
import { waitFor } from '../../helpers/wait-for.ts';

export type Role = 'server' | 'scheduler' | 'worker';

/** A process of the service under its name, over all its deaths. */
export interface Member {
  name: string;
  role: Role;
  /** A server's and a scheduler's to PostgreSQL, a worker's to the servers. */
  line: FaultyLine;
  /** Once it is ready. One that ends before is started again, as whoever watches over processes does. */
  start(): Promise<void>;
  /** SIGKILL; `tree`: with all that it had started, as when its machine goes. */
  kill(tree?: boolean): Promise<void>;
  /** SIGSTOP and SIGCONT, of all that it had started too. */
  pause(tree?: boolean): void;
  resume(): void;
  /** All that it has said in all its lives. */
  output(): string;
  /** How often it has ended by itself after it was ready: nothing that is done to it is a reason for that. */
  deaths(): number;
}

export interface Fleet {
  members: Member[];
  /** Leads to all servers. */
  line: FaultyLine;
  /** For people and their programs. */
  token: string;
  /** The test's own way in, which no fault touches; new after PostgreSQL was. */
  database(): Database;
  postgres: {
    /** Immediate shutdown, then a new one on the same data and port. */
    restart(): Promise<void>;
    pause(): void;
    resume(): void;
  };
  /** Null: PostgreSQL is its own broker. */
  redis: TestRedis | null;
  stop(): Promise<void>;
}

const MOST_STARTS = 20;
const READY: Record<Role, RegExp> = {
  server: /the API listens/,
  scheduler: /the scheduler runs/,
  worker: /the worker takes tasks/,
};

export interface FleetSize {
  servers: number;
  schedulers: number;
  workers: number;
  slots: number;
  broker: 'postgres' | 'redis';
}

export async function startFleet(size: FleetSize): Promise<Fleet> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
  const postgres = await startPostgres(join(home, 'postgres'));
  await migrate(postgres.url);
  const tokenOf = async (role: 'worker' | 'admin') =>
    (await createApiToken(postgres.database().db, { name: role, role, expiresInDays: 1, actor: 'test' })).token;
  const [workerToken, token] = [await tokenOf('worker'), await tokenOf('admin')];
  const ports = await Promise.all(Array.from({ length: size.servers }, freePort));
  const redis = size.broker === 'redis' ? await startTestRedis() : null;
  const base = {
    MILLRACE_SECRET_KEY: 'ab'.repeat(32),
    MILLRACE_LOG_LEVEL: 'info',
    ...(redis && { MILLRACE_BROKER: 'redis', MILLRACE_REDIS_URL: redis.url }),
  };
  const near = async (name: string, role: Role, env: { [name: string]: string }) => {
    const line = await openFaultyLine(role === 'worker' ? ports : [Number(new URL(postgres.url).port)]);
    const through = new URL(postgres.url);
    through.port = String(line.port);
    const address: { [name: string]: string } =
      role === 'worker'
        ? { MILLRACE_URL: `http://127.0.0.1:${line.port}`, MILLRACE_TOKEN: workerToken, MILLRACE_WORKER_NAME: name }
        : { DATABASE_URL: through.href };
    return createMember({ name, role, line, env: { ...base, MILLRACE_HOME: join(home, name), ...address, ...env } });
  };
  const many = (role: Role, count: number, env: (i: number) => { [name: string]: string } = () => ({})) =>
    Array.from({ length: count }, (_, i) => near(`${role}-${i + 1}`, role, env(i)));
  const members = await Promise.all([
    ...many('server', size.servers, (i) => ({ MILLRACE_PORT: String(ports[i]) })),
    ...many('scheduler', size.schedulers),
    ...many('worker', size.workers, () => ({ MILLRACE_WORKER_SLOTS: String(size.slots) })),
  ]);
  const line = await openFaultyLine(ports);
  for (const role of ['server', 'scheduler', 'worker'] as const)
    await Promise.all(members.filter((one) => one.role === role).map((one) => one.start()));
  return {
    members,
    line,
    token,
    database: postgres.database,
    postgres,
    redis,
    async stop() {
      await Promise.all(members.map((one) => one.kill(true)));
      await Promise.all([line, ...members.map((one) => one.line)].map((each) => each.stop()));
      await Promise.all([postgres.stop(), redis?.stop()]);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

interface MemberDeps extends Pick<Member, 'name' | 'role' | 'line'> {
  env: { [name: string]: string };
}

function createMember({ name, role, line, env }: MemberDeps): Member {
  let cli: RunningCli | undefined;
  let deaths = 0;
  const past: string[] = [];

  const startOnce = async () => {
    const starting = startCli([role], env);
    cli = starting;
    await starting.sees(READY[role], 60_000);
    void starting.ended.then(({ stdout, stderr }) => {
      if (cli !== starting) return;
      cli = undefined;
      deaths += 1;
      past.push(stdout + stderr);
    });
  };
  const signal = (name: NodeJS.Signals) => {
    if (cli?.child.pid !== undefined) signalTree(cli.child.pid, name);
  };
  const kill = async (tree = false) => {
    const dying = cli;
    if (!dying) return;
    cli = undefined;
    if (tree && dying.child.pid !== undefined) signalTree(dying.child.pid, 'SIGKILL');
    const { stdout, stderr } = await dying.kill('SIGKILL');
    past.push(stdout + stderr);
  };
  return {
    name,
    role,
    line,
    async start() {
      for (let attempt = 1; !cli; attempt++) {
        try {
          await startOnce();
        } catch (error) {
          await kill();
          if (attempt === MOST_STARTS) throw error;
        }
      }
    },
    kill,
    pause: (tree = false) => (tree ? signal('SIGSTOP') : void cli?.child.kill('SIGSTOP')),
    resume: () => signal('SIGCONT'),
    output: () => [...past, cli ? cli.stdout() + cli.stderr() : ''].join('--- started again\n'),
    deaths: () => deaths,
  };
}

async function startPostgres(dataDir: string) {
  // What a process acknowledged survives its death, though not that of the machine: nothing here kills that
  const flags = ['-c', 'fsync=off', '-c', 'full_page_writes=off'];
  let server: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir, flags });
  const { url } = server;
  const port = Number(new URL(url).port);
  const open = () => createDatabase(url, { max: 4, applicationName: 'chaos test', onIdleError: () => undefined });
  let database = open();
  return {
    url,
    database: () => database,
    async restart() {
      process.kill(server.pid, 'SIGQUIT');
      await waitFor(() => !isAlive(server.pid), { what: 'the postmaster to end' });
      server = await startEmbeddedPostgres({ dataDir, flags, port });
      const former = database;
      database = open();
      await former.close();
    },
    pause: () => signalTree(server.pid, 'SIGSTOP'),
    resume: () => signalTree(server.pid, 'SIGCONT'),
    async stop() {
      signalTree(server.pid, 'SIGCONT');
      await database.close();
      await server.stop();
    },
  };
}
