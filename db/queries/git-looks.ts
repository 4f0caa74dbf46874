/** Who looks at a Git source now, and what came of it. One scheduler at a time, by lease. */
import { randomUUID } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import type { GitCommit, GitCredentials } from '#sdk/git-sources.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import type { Vault } from '#db/vault.ts';
import { GIT_COLUMNS, GIT_LOOKED, GIT_WANTED, gitPlace, type GitSourceRecord } from './git-sources.ts';

/** Renewed several times within it. */
export const GIT_LEASE_SECONDS = 45;

export interface GitLook {
  source: GitSourceRecord;
  lease: string;
  /** Load all files also when the commit is known. */
  reload: boolean;
  sealed: Buffer | null;
}
type Leased = { source: Pick<GitSourceRecord, 'name'>; lease: string };

/**
 * Takes the source that has been due the longest; undefined: none is due that nobody looks at. What was to be loaded again is taken
 * with it, so that who asks for it meanwhile is not taken for who asked before. A look that died may have left it half done.
 */
export async function beginGitLook(db: Db): Promise<GitLook | undefined> {
  const lease = randomUUID();
  const row = await db
    .with('due', (cte) =>
      cte
        .selectFrom('git_source')
        .select(['name as due_name', sql<boolean>`reload or lease is not null`.as('all_files')])
        .where('paused', '=', false)
        .where('due_at', '<=', sql<Date>`clock_timestamp()`)
        .where(sql<boolean>`coalesce(lease_until <= clock_timestamp(), true)`)
        .orderBy('due_at')
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .updateTable('git_source')
    .from('due')
    .set({
      lease,
      lease_until: sql<Date>`clock_timestamp() + make_interval(secs => ${GIT_LEASE_SECONDS})`,
      look_began_at: sql<Date>`clock_timestamp()`,
      reload: false,
    })
    .whereRef('name', '=', 'due_name')
    .returning([...GIT_COLUMNS, 'all_files as reload', 'sealed'])
    .executeTakeFirst();
  if (!row) return undefined;
  const { reload, sealed, ...source } = row;
  return { source, lease, reload, sealed };
}

/** Throws a VaultError when they cannot be read. */
export const openGitCredentials = (vault: Vault, { source, sealed }: GitLook): GitCredentials =>
  sealed === null ? { kind: 'none' } : (JSON.parse(vault.open(sealed, gitPlace(source.name))) as GitCredentials);

/** Milliseconds until a source is due or its lease has run out; null: there is none. */
export async function untilNextGitLook(db: Db): Promise<number | null> {
  const { rows } = await sql<{ ms: number | null }>`
    select extract(epoch from min(greatest(due_at, coalesce(lease_until, due_at))) - clock_timestamp()) * 1000 as ms
    from git_source where not paused`.execute(db);
  const ms = rows[0]?.ms ?? null;
  return ms === null ? null : Math.max(0, Number(ms));
}

/** False: the look is not ours any more. */
export async function renewGitLook(db: Db, { source, lease }: Leased): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('git_source')
    .set({ lease_until: sql<Date>`clock_timestamp() + make_interval(secs => ${GIT_LEASE_SECONDS})` })
    .where('name', '=', source.name)
    .where('lease', '=', lease)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The look comes to nothing: another scheduler may begin one. Nothing happens when it is not ours any more. */
export async function dropGitLook(db: Db, { source, lease, reload }: GitLook): Promise<void> {
  const dropped = db
    .updateTable('git_source')
    .set({ lease: null, lease_until: null, ...(reload && { reload }) })
    .where('name', '=', source.name)
    .where('lease', '=', lease)
    .returning('name');
  if (await dropped.executeTakeFirst()) await sql`select pg_notify(${GIT_WANTED}, ${source.name})`.execute(db);
}

export class GitLookLost extends Error {
  constructor(name: string) {
    super(`The Git source ${name} was changed or deleted meanwhile, or another scheduler looks at it.`);
    this.name = 'GitLookLost';
  }
}

/** Within the transaction that deploys: what an older look has found must not follow what a newer one has. */
export async function holdGitLook(trx: Transaction<DB>, { source, lease }: Leased): Promise<void> {
  const row = await trx
    .selectFrom('git_source')
    .select('name')
    .where('name', '=', source.name)
    .where('lease', '=', lease)
    .forShare()
    .executeTakeFirst();
  if (!row) throw new GitLookLost(source.name);
}

export interface GitOutcome {
  /** Why the repository could not be read; null: it could. */
  problem: string | null;
  /** What was deployed; null: what is deployed stays, there was nothing new. */
  deployed: { commit: GitCommit; files: number; failedFiles: number; durationMs: number } | null;
  /** The next look loads all files, also of the same commit. */
  reload: boolean;
}

/** False: the look was not ours any more. Who asked after it had begun gets another one at once. */
export async function endGitLook(
  db: Db,
  { source, lease }: Leased,
  { problem, deployed, reload }: GitOutcome,
): Promise<boolean> {
  const commit = deployed?.commit;
  const asked = sql<boolean>`coalesce(asked_at >= look_began_at, false)`;
  const state = problem === null ? 'ok' : 'failed';
  const { rows } = await sql<{ due: boolean }>`
    with ended as (
      update git_source s set lease = null, lease_until = null, looked_at = clock_timestamp(),
        due_at = case when ${asked} then clock_timestamp() else clock_timestamp() + make_interval(secs => interval_seconds) end,
        reload = reload or ${reload},
        since = case when state = ${state} then since else clock_timestamp() end, state = ${state}, message = ${problem},
        duration_ms = coalesce(${deployed?.durationMs ?? null}, duration_ms),
        commit_sha = coalesce(${commit?.sha ?? null}, commit_sha), commit_author = coalesce(${commit?.author ?? null}, commit_author),
        commit_message = coalesce(${commit?.message ?? null}, commit_message), commit_at = coalesce(${commit?.at ?? null}, commit_at),
        deployed_at = case when ${deployed !== null} then clock_timestamp() else deployed_at end,
        files = coalesce(${deployed?.files ?? null}, files), failed_files = coalesce(${deployed?.failedFiles ?? null}, failed_files)
      where name = ${source.name} and lease = ${lease}
      returning name, due_at <= clock_timestamp() as due)
    select due, pg_notify(${GIT_LOOKED}, name), case when due then pg_notify(${GIT_WANTED}, name) end from ended`.execute(
    db,
  );
  return rows.length > 0;
}

/** Has a source looked at soon; further requests until then are one with it. `reload`: all its files, also of a known commit. */
export async function wantGitLook(db: Db, name: string, { reload }: { reload: boolean }): Promise<boolean> {
  const { rows } = await sql`
    with wanted as (
      update git_source set asked_at = clock_timestamp(), due_at = least(due_at, clock_timestamp()), reload = reload or ${reload}
      where name = ${name} returning name)
    select pg_notify(${GIT_WANTED}, name) from wanted`.execute(db);
  return rows.length > 0;
}
