import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { findBinaries, type Binaries } from './embedded-binaries.ts';
import { checkReachable, unprivilegedUser, type Owner } from './embedded-owner.ts';
import { isPostgres, readPostmaster, type Postmaster } from './embedded-postmaster.ts';

export interface EmbeddedOptions {
  /** Belongs to Postgres alone; created when missing. */
  dataDir: string;
  /** Further arguments of the server, e.g. `['-c', 'log_min_duration_statement=100']`. */
  flags?: string[];
  /** For tests: durability off. */
  ephemeral?: boolean;
  /** Any free one unless given. One that is taken is waited for. */
  port?: number;
}

export interface EmbeddedPostgres {
  url: string;
  pid: number;
  /** True when a server that an earlier process left running was taken over. */
  adopted: boolean;
  stop(): Promise<void>;
}

const USER = 'millrace';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const LOG_LIMIT = 10_000_000;
const SETTINGS = {
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  wal_compression: 'on',
  jit: 'off',
  log_min_messages: 'warning',
};
const EPHEMERAL = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '64MB' };

/**
 * Starts PostgreSQL from the npm package's binaries on a free port of 127.0.0.1, or takes over the one that runs in `dataDir`
 * already. The server is detached: it outlives a killed parent, and Ctrl-C reaches it only through `stop`.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { dataDir } = options;
  const owner = await unprivilegedUser();
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (owner) await chown(dataDir, owner.uid, owner.gid);
  await checkReachable(dataDir, owner);
  const cluster = join(dataDir, 'cluster');
  const binaries = await findBinaries(dataDir, owner);
  if (!existsSync(cluster)) await initialise(cluster, binaries, owner, options.ephemeral === true);
  const password = (await readFile(join(dataDir, 'password'), 'utf8')).trim();
  const urlAt = (port: number) => urlOf(port, password);

  const running = await readPostmaster(cluster);
  if (running && (await isPostgres(running.pid)) && (await adoptable(cluster, running, urlAt)))
    return { url: urlAt(running.port), pid: running.pid, adopted: true, stop: () => stopServer(running.pid) };
  const { pid, port } = await launch(cluster, binaries, owner, options);
  return { url: urlAt(port), pid, adopted: false, stop: () => stopServer(pid) };
}

/** Address of the server that another process runs in `dataDir`; null when there is none. */
export async function findEmbeddedPostgres(dataDir: string): Promise<string | null> {
  const running = await readPostmaster(join(dataDir, 'cluster'));
  if (!running || !(await isPostgres(running.pid))) return null;
  const password = (await readFile(join(dataDir, 'password'), 'utf8')).trim();
  return urlOf(running.port, password);
}

/** Stops the server that a process which is gone has left running in `dataDir`, if there is one. */
export async function stopEmbeddedPostgres(dataDir: string): Promise<void> {
  const running = await readPostmaster(join(dataDir, 'cluster'));
  if (running) await stopServer(running.pid);
}

/** The folder gets its name last, so an interrupted initdb is repeated. */
async function initialise(cluster: string, binaries: Binaries, owner: Owner | null, quick: boolean): Promise<void> {
  const dataDir = join(cluster, '..');
  const unfinished = `${cluster}.new`;
  const passwordFile = join(dataDir, 'password');
  await rm(unfinished, { recursive: true, force: true });
  await writeFile(passwordFile, randomBytes(24).toString('base64url') + '\n', { mode: 0o600 });
  if (owner) await chown(passwordFile, owner.uid, owner.gid);
  const args = ['-D', unfinished, '-U', USER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  args.push('-E', 'UTF8', '--no-locale', '--no-instructions', ...(quick ? ['--no-sync'] : []));
  const child = spawn(binaries.initdb, args, { ...idsOf(owner), cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => (stderr += String(data)));
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(`initdb could not create ${cluster} (exit ${code}): ${stderr.trim()}`);
  await rename(unfinished, cluster);
}

/** Waits out a server that is starting or stopping; false when there is none to take over in the end. */
async function adoptable(cluster: string, found: Postmaster, urlAt: (port: number) => string): Promise<boolean> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  let last: unknown;
  while (performance.now() < deadline) {
    if (!(await isPostgres(found.pid))) return false;
    const client = new pg.Client({ connectionString: urlAt(found.port), connectionTimeoutMillis: 2_000 });
    // Its query tells of it; the event alone would end the process
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ data_directory: string }>('show data_directory');
      if (rows[0]?.data_directory === cluster) return true;
      return false;
    } catch (error) {
      last = error;
      await sleep(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  throw new Error(`PostgreSQL (pid ${found.pid}) runs in ${cluster} but does not let us in. Stop it and try again.`, {
    cause: last,
  });
}

async function launch(cluster: string, binaries: Binaries, owner: Owner | null, options: EmbeddedOptions) {
  const logFile = join(options.dataDir, 'postgres.log');
  const size = await stat(logFile).then(
    (s) => s.size,
    () => 0,
  );
  if (size > LOG_LIMIT) await rename(logFile, `${logFile}.1`);
  const settings = Object.entries({ ...SETTINGS, ...(options.ephemeral ? EPHEMERAL : {}) });
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const port = options.port ?? (await freePort());
    const args = ['-D', cluster, '-p', String(port), '-h', '127.0.0.1', '-k', ''];
    for (const [name, value] of settings) args.push('-c', `${name}=${value}`);
    // Its log is a file: a pipe would break when this process dies before the server.
    const log = await open(logFile, 'a', 0o600);
    const offset = (await log.stat()).size;
    const child = spawn(binaries.postgres, [...args, ...(options.flags ?? [])], {
      ...idsOf(owner),
      cwd: '/',
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    let exit: string | undefined;
    child.once('error', (error) => (exit = error.message));
    child.once('exit', (code, signal) => (exit = `exit ${code ?? signal}`));
    child.unref();
    await log.close();
    while (exit === undefined && performance.now() < deadline) {
      const postmaster = await readPostmaster(cluster);
      if (postmaster?.pid === child.pid && postmaster?.ready) return { pid: postmaster!.pid, port };
      await sleep(5);
    }
    const said = (await readFile(logFile, 'utf8')).slice(offset).trim().slice(-1_500);
    // After a kill -9 of the postmaster its children need a moment to notice; a port may be taken between look and use.
    const passing = /still in use|could not bind|Address already in use|lock file .* already exists/.test(said);
    if (!passing || performance.now() > deadline)
      throw new Error(`PostgreSQL did not start in ${cluster} (${exit ?? 'no answer'}); its log ends:\n${said}`);
    await sleep(100);
  }
}

/** Fast shutdown; the immediate one when that takes too long. */
async function stopServer(pid: number): Promise<void> {
  for (const [signal, ms] of [
    ['SIGINT', STOP_TIMEOUT_MS],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!(await isPostgres(pid))) return;
    process.kill(pid, signal);
    const deadline = performance.now() + ms;
    while ((await isPostgres(pid)) && performance.now() < deadline) await sleep(10);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const urlOf = (port: number, password: string) => `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`;

const idsOf = (owner: Owner | null) => (owner ? { uid: owner.uid, gid: owner.gid } : {});
