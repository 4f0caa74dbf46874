/** What looks at Git sources, on a real database, with a home of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { createListener } from '#db/listen.ts';
import { findGitSource, type GitSourceRecord } from '#db/queries/git-sources.ts';
import { startGitWatch, type GitWatchDeps } from '#server/bundles/git/watch-sources.ts';
import { createLogger } from '#server/log.ts';
import type { TestDatabase } from './database.ts';
import { TEST_VAULT } from './engine.ts';
import { waitFor } from './wait-for.ts';

export interface TestGitWatch {
  home: string;
  /** All that was logged. */
  log(): string;
  errors: unknown[];
  stop(): Promise<void>;
}

export async function startTestGitWatch(
  { db, url }: TestDatabase,
  options: Partial<GitWatchDeps> = {},
): Promise<TestGitWatch> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-git-'));
  const listener = createListener(url, { applicationName: 'test git listener' });
  await listener.start();
  let logged = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  });
  const errors: unknown[] = [];
  const watch = startGitWatch({
    ...{ db, listener, home, vault: TEST_VAULT },
    log: createLogger({ level: 'debug', format: 'json', destination }),
    policy: { protocols: ['https', 'http'], hosts: ['127.0.0.1'] },
    environment: { PATH: process.env['PATH'] ?? '' },
    limits: { askMs: 20_000, fetchMs: 30_000, maxBytes: 8 * 2 ** 20 },
    onError: (error) => void errors.push(error),
    ...options,
  });
  return {
    home,
    log: () => logged,
    errors,
    async stop() {
      await watch.stop();
      await listener.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Waits until a look has ended that shows what is wanted; the message tells what it shows. */
export async function awaitSource(
  { db }: TestDatabase,
  name: string,
  wanted: (source: GitSourceRecord) => boolean,
): Promise<GitSourceRecord> {
  const look = async () => {
    const source = await findGitSource(db, name);
    if (source && wanted(source)) return source;
    throw new Error(JSON.stringify(source));
  };
  return waitFor(look, { what: `the Git source ${name}`, timeoutMs: 30_000 });
}

/** Of the DAG, and who keeps it. */
export async function dagOf(
  { pool }: TestDatabase,
  name: string,
): Promise<
  { active: boolean; source: string | null; path: string | null; number: number; versions: number } | undefined
> {
  const { rows } = await pool.query(
    `select d.active, d.source, d.path, v.number, (select count(*)::int from dag_version x where x.dag_id = d.id) as versions
     from dag d join dag_version v on v.id = d.version_id where d.name = $1`,
    [name],
  );
  return rows[0];
}
