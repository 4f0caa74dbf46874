/** Git repositories that DAGs come from. Their secrets never leave here but for who reads the repository or checks a webhook. */
import { sql, type Transaction } from 'kysely';
import {
  gitOrigin,
  type GitAccess,
  type GitCredentials,
  type GitSourceSettings,
  type GitState,
} from '#sdk/git-sources.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import type { Vault } from '#db/vault.ts';
import { recordAudit } from './audit.ts';
import { releaseDags, type ReleasedDags } from './released-dags.ts';

/** What anybody may see of one. */
export interface GitSourceRecord {
  name: string;
  description: string | null;
  url: string;
  ref: string | null;
  folder: string;
  access: GitAccess;
  username: string | null;
  has_webhook: boolean;
  interval_seconds: number;
  trusted: boolean;
  paused: boolean;
  created_at: Date;
  updated_at: Date;
  updated_by: string;
  due_at: Date;
  asked_at: Date | null;
  /** A scheduler looks at it now. */
  looking: boolean;
  state: GitState;
  message: string | null;
  since: Date;
  looked_at: Date | null;
  duration_ms: number | null;
  commit_sha: string | null;
  commit_author: string | null;
  commit_message: string | null;
  commit_at: Date | null;
  deployed_at: Date | null;
  files: number | null;
  failed_files: number | null;
}

/** Payload: the name of a source that was made, changed or deleted, or that somebody wants to have looked at. */
export const GIT_WANTED = 'millrace_git';
/** Payload: the name of a source that has been looked at. */
export const GIT_LOOKED = 'millrace_git_looked';

export const GIT_COLUMNS = [
  sql<GitAccess>`access`.as('access'),
  sql<GitState>`state`.as('state'),
  sql<boolean>`webhook_sealed is not null`.as('has_webhook'),
  sql<boolean>`coalesce(lease_until > clock_timestamp(), false)`.as('looking'),
  ...(['name', 'description', 'url', 'ref', 'folder', 'username', 'interval_seconds', 'trusted', 'paused'] as const),
  ...(['created_at', 'updated_at', 'updated_by', 'due_at', 'asked_at'] as const),
  ...(['message', 'since', 'looked_at', 'duration_ms', 'files', 'failed_files', 'deployed_at'] as const),
  ...(['commit_sha', 'commit_author', 'commit_message', 'commit_at'] as const),
] as const;

/** By name. */
export async function listGitSources(db: Db): Promise<GitSourceRecord[]> {
  return db.selectFrom('git_source').select(GIT_COLUMNS).orderBy('name').execute();
}

export async function findGitSources(db: Db, names: readonly string[]): Promise<GitSourceRecord[]> {
  if (names.length === 0) return [];
  return db.selectFrom('git_source').select(GIT_COLUMNS).where('name', 'in', names).execute();
}

export const findGitSource = async (db: Db, name: string): Promise<GitSourceRecord | undefined> =>
  (await findGitSources(db, [name]))[0];

/** Where the secrets of a source lie, for the vault. */
export const gitPlace = (name: string): string => `git:${name}`;
export const gitWebhookPlace = (name: string): string => `git-webhook:${name}`;

export interface GitSecrets {
  /** Undefined: as they were. */
  credentials?: GitCredentials;
  /** Of the webhook; null: it has none. */
  webhookSecret?: string | null;
}
export interface NewGitSource extends GitSourceSettings, GitSecrets {
  name: string;
  credentials: GitCredentials;
}
/** Undefined: as it was. */
export type GitSourceChange = Partial<GitSourceSettings> & GitSecrets;

const SETTING_COLUMNS = {
  description: 'description',
  url: 'url',
  ref: 'ref',
  folder: 'folder',
  intervalSeconds: 'interval_seconds',
  trusted: 'trusted',
  paused: 'paused',
} as const satisfies { [Setting in keyof GitSourceSettings]: keyof DB['git_source'] };

const givenSettings = (settings: Partial<GitSourceSettings>) =>
  Object.entries(settings).filter(([, value]) => value !== undefined) as [keyof GitSourceSettings, unknown][];

const settingColumns = (settings: Partial<GitSourceSettings>): { [column: string]: unknown } =>
  Object.fromEntries(givenSettings(settings).map(([name, value]) => [SETTING_COLUMNS[name], value]));

function secretColumns(vault: Vault, name: string, { credentials, webhookSecret }: GitSecrets) {
  const sealed = (secret: string, place: string) => vault.seal(secret, place);
  return {
    ...(credentials && {
      access: credentials.kind,
      username: credentials.kind === 'password' ? credentials.username : null,
      sealed: credentials.kind === 'none' ? null : sealed(JSON.stringify(credentials), gitPlace(name)),
    }),
    ...(webhookSecret !== undefined && {
      webhook_sealed: webhookSecret === null ? null : sealed(webhookSecret, gitWebhookPlace(name)),
    }),
  };
}

const announce = (trx: Transaction<DB>, name: string) => sql`select pg_notify(${GIT_WANTED}, ${name})`.execute(trx);

/** Undefined: there is one of this name already. */
export async function createGitSource(
  db: Db,
  vault: Vault,
  { name, credentials, webhookSecret, ...settings }: NewGitSource,
  actor: string,
): Promise<GitSourceRecord | undefined> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('git_source')
      .values({
        name,
        ...(settingColumns(settings) as { url: string }),
        ...secretColumns(vault, name, { credentials, ...(webhookSecret !== undefined && { webhookSecret }) }),
        updated_by: actor,
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning(GIT_COLUMNS)
      .executeTakeFirst();
    if (!row) return undefined;
    const detail = { url: row.url, ref: row.ref, folder: row.folder, access: row.access };
    await recordAudit(trx, { actor, action: 'create_git_source', object: name, detail });
    await announce(trx, name);
    return row;
  });
}

/** Undefined: there is none. It is looked at anew, at once. */
export async function updateGitSource(
  db: Db,
  vault: Vault,
  name: string,
  { credentials, webhookSecret, ...settings }: GitSourceChange,
  actor: string,
): Promise<GitSourceRecord | undefined> {
  const secrets = { ...(credentials && { credentials }), ...(webhookSecret !== undefined && { webhookSecret }) };
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('git_source')
      .set({
        ...settingColumns(settings),
        ...secretColumns(vault, name, secrets),
        ...LOOK_ANEW,
        updated_at: sql<Date>`now()`,
        updated_by: actor,
      })
      .where('name', '=', name)
      .returning(GIT_COLUMNS)
      .executeTakeFirst();
    if (!row) return undefined;
    const fields = [...givenSettings(settings).map(([field]) => field), ...Object.keys(secrets)];
    await recordAudit(trx, { actor, action: 'update_git_source', object: name, detail: { fields } });
    await announce(trx, name);
    return row;
  });
}

/** Whoever looks at it now looks at what it was: their lease ends with this. */
const LOOK_ANEW = {
  reload: true,
  due_at: sql<Date>`clock_timestamp()`,
  lease: null,
  lease_until: null,
};

/** Undefined: there is none. Its DAGs are deactivated, or with `keep` go on as they are, kept by nobody. */
export async function deleteGitSource(
  db: Db,
  name: string,
  { actor, keep }: { actor: string; keep: boolean },
): Promise<ReleasedDags | undefined> {
  return db.transaction().execute(async (trx) => {
    // First, so that no look that is under way deploys any more
    const row = await trx.deleteFrom('git_source').where('name', '=', name).returning('name').executeTakeFirst();
    if (!row) return undefined;
    const released = await releaseDags(trx, gitOrigin(name), { actor, keep });
    const detail = { keep, dags: released.dagIds.length };
    await recordAudit(trx, { actor, action: 'delete_git_source', object: name, detail });
    await announce(trx, name);
    return released;
  });
}

/** Undefined: there is no such source, or no webhook of it. Throws a VaultError when the secret cannot be read. */
export async function openWebhookSecret(db: Db, vault: Vault, name: string): Promise<string | undefined> {
  const row = await db.selectFrom('git_source').select('webhook_sealed').where('name', '=', name).executeTakeFirst();
  return row?.webhook_sealed ? vault.open(row.webhook_sealed, gitWebhookPlace(name)) : undefined;
}
