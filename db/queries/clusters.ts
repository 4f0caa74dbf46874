/** Clusters. How one is reached never leaves here but for who speaks to it (`openCluster`). */
import { sql, type Transaction } from 'kysely';
import type {
  ClusterCredentials,
  ClusterHealthState,
  ClusterKind,
  ClusterSettings,
  PodSecurityLevel,
} from '#sdk/clusters.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import type { Vault } from '#db/vault.ts';
import { recordAudit } from './audit.ts';

/** What anybody may see of one. */
export interface ClusterRecord {
  name: string;
  kind: ClusterKind;
  description: string | null;
  /** Address of its API; null for `in_cluster`. */
  server: string | null;
  context: string | null;
  insecure: boolean;
  namespaces: string[];
  service_url: string | null;
  runner_image: string | null;
  qps: number;
  burst: number;
  parallel_creates: number;
  max_pods: number;
  max_pods_per_namespace: number | null;
  pod_security: PodSecurityLevel;
  images: string[];
  service_accounts: string[];
  pod_defaults: { [field: string]: Json } | null;
  paused: boolean;
  /** Kept as the configuration says: people may only pause it. */
  managed: boolean;
  /** Grows with every change; what was made of an older one is out of date. */
  revision: number;
  created_at: Date;
  updated_at: Date;
  updated_by: string;
  health: ClusterHealthState;
  health_message: string | null;
  health_since: Date;
  version: string | null;
  missing_permissions: string[];
  checked_at: Date | null;
}

/** Payload: the name of a cluster that was made, changed or deleted. */
export const CLUSTER_CHANGED = 'millrace_cluster';
/** Payload: the name of a cluster whose health is another. */
export const CLUSTER_HEALTH_CHANGED = 'millrace_cluster_health';

const COLUMNS = [
  sql<ClusterKind>`kind`.as('kind'),
  sql<PodSecurityLevel>`pod_security`.as('pod_security'),
  sql<ClusterHealthState>`health`.as('health'),
  sql<{ [field: string]: Json } | null>`pod_defaults`.as('pod_defaults'),
  ...(['name', 'description', 'server', 'context', 'insecure', 'namespaces', 'service_url', 'runner_image'] as const),
  ...(['qps', 'burst', 'parallel_creates', 'max_pods', 'max_pods_per_namespace'] as const),
  ...(['images', 'service_accounts', 'paused', 'managed', 'revision'] as const),
  ...(['created_at', 'updated_at', 'updated_by'] as const),
  ...(['health_message', 'health_since', 'version', 'missing_permissions', 'checked_at'] as const),
] as const;

/** By name. */
export async function listClusters(db: Db): Promise<ClusterRecord[]> {
  return db.selectFrom('cluster').select(COLUMNS).orderBy('name').execute();
}

export async function findCluster(db: Db, name: string): Promise<ClusterRecord | undefined> {
  return db.selectFrom('cluster').select(COLUMNS).where('name', '=', name).executeTakeFirst();
}

export async function findClusters(db: Db, names: readonly string[]): Promise<ClusterRecord[]> {
  if (names.length === 0) return [];
  return db.selectFrom('cluster').select(COLUMNS).where('name', 'in', names).execute();
}

/** Where the credentials of a cluster lie, for the vault. */
export const clusterPlace = (name: string): string => `cluster:${name}`;

/** Undefined: there is none. Throws a VaultError when its credentials cannot be read. */
export async function openCluster(
  db: Db,
  vault: Vault,
  name: string,
): Promise<{ record: ClusterRecord; credentials: ClusterCredentials } | undefined> {
  const row = await db
    .selectFrom('cluster')
    .select([...COLUMNS, 'sealed'])
    .where('name', '=', name)
    .executeTakeFirst();
  if (!row) return undefined;
  const { sealed, ...record } = row;
  return { record, credentials: openCredentials(vault, name, sealed) };
}

const openCredentials = (vault: Vault, name: string, sealed: Buffer | null): ClusterCredentials =>
  sealed === null ? { kind: 'in_cluster' } : (JSON.parse(vault.open(sealed, clusterPlace(name))) as ClusterCredentials);

/** How it is reached, and what may be told of that. */
export interface ClusterAccess {
  credentials: ClusterCredentials;
  /** Address of its API; null for `in_cluster`. */
  server: string | null;
  /** Its certificate is not checked. */
  insecure: boolean;
}

export interface NewCluster extends ClusterSettings {
  name: string;
  access: ClusterAccess;
}
/** Undefined: as it was. */
export type ClusterChange = Partial<ClusterSettings> & { access?: ClusterAccess };

function accessColumns(vault: Vault, name: string, { credentials, server, insecure }: ClusterAccess) {
  return {
    kind: credentials.kind,
    server,
    context: credentials.kind === 'kubeconfig' ? credentials.context : null,
    insecure,
    sealed: credentials.kind === 'in_cluster' ? null : vault.seal(JSON.stringify(credentials), clusterPlace(name)),
  };
}

const SETTING_COLUMNS = {
  description: 'description',
  namespaces: 'namespaces',
  serviceUrl: 'service_url',
  runnerImage: 'runner_image',
  qps: 'qps',
  burst: 'burst',
  parallelCreates: 'parallel_creates',
  maxPods: 'max_pods',
  maxPodsPerNamespace: 'max_pods_per_namespace',
  podSecurity: 'pod_security',
  images: 'images',
  serviceAccounts: 'service_accounts',
  podDefaults: 'pod_defaults',
  paused: 'paused',
} as const satisfies { [Setting in keyof ClusterSettings]: keyof DB['cluster'] };

type GivenSetting = [keyof ClusterSettings, unknown];
const givenSettings = (settings: Partial<ClusterSettings>) =>
  Object.entries(settings).filter(([, value]) => value !== undefined) as GivenSetting[];

const settingColumns = (settings: Partial<ClusterSettings>): { [column: string]: unknown } =>
  Object.fromEntries(
    givenSettings(settings).map(([name, value]) => [
      SETTING_COLUMNS[name],
      name === 'podDefaults' && value !== null ? JSON.stringify(value) : value,
    ]),
  );

const announce = (trx: Transaction<DB>, channel: string, name: string) =>
  sql`select pg_notify(${channel}, ${name})`.execute(trx);

/** Undefined: there is one of this name already. */
export async function createCluster(
  db: Db,
  vault: Vault,
  { name, access, ...settings }: NewCluster,
  { actor, managed = false }: { actor: string; managed?: boolean },
): Promise<ClusterRecord | undefined> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('cluster')
      .values({
        name,
        ...accessColumns(vault, name, access),
        ...(settingColumns(settings) as { namespaces: string[] }),
        managed,
        updated_by: actor,
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning(COLUMNS)
      .executeTakeFirst();
    if (!row) return undefined;
    const detail = { kind: row.kind, server: row.server, namespaces: row.namespaces };
    await recordAudit(trx, { actor, action: 'create_cluster', object: name, detail });
    await announce(trx, CLUSTER_CHANGED, name);
    return row;
  });
}

/** Undefined: there is none. Its health is unknown from now on, unless it only was paused. */
export async function updateCluster(
  db: Db,
  vault: Vault,
  name: string,
  { access, ...settings }: ClusterChange,
  { actor, managed }: { actor: string; managed?: boolean },
): Promise<ClusterRecord | undefined> {
  const looksAgain = access !== undefined || settings.namespaces !== undefined;
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('cluster')
      .set({
        ...settingColumns(settings),
        ...(access && accessColumns(vault, name, access)),
        ...(managed !== undefined && { managed }),
        ...(looksAgain && UNKNOWN_HEALTH),
        revision: sql<number>`revision + 1`,
        updated_at: sql<Date>`now()`,
        updated_by: actor,
      })
      .where('name', '=', name)
      .returning(COLUMNS)
      .executeTakeFirst();
    if (!row) return undefined;
    const fields = [...givenSettings(settings).map(([field]) => field), ...(access ? ['access'] : [])];
    await recordAudit(trx, { actor, action: 'update_cluster', object: name, detail: { fields } });
    await announce(trx, CLUSTER_CHANGED, name);
    return row;
  });
}

const UNKNOWN_HEALTH = {
  health: 'unknown',
  health_message: null,
  health_since: sql<Date>`now()`,
  missing_permissions: sql<string[]>`'{}'`,
  checked_at: null,
};

/** `in_use`: tasks have Pods there, or had them a moment ago; `force` does not mind. */
export async function deleteCluster(
  db: Db,
  name: string,
  { actor, force = false }: { actor: string; force?: boolean },
): Promise<'deleted' | 'missing' | 'in_use'> {
  return db.transaction().execute(async (trx) => {
    const row = await trx.selectFrom('cluster').select('name').where('name', '=', name).forUpdate().executeTakeFirst();
    if (!row) return 'missing';
    const used = trx.selectFrom('launch').select('dispatch_id').where('cluster', '=', name).limit(1);
    if (!force && (await used.executeTakeFirst())) return 'in_use';
    await trx.deleteFrom('cluster').where('name', '=', name).execute();
    await recordAudit(trx, { actor, action: 'delete_cluster', object: name });
    await announce(trx, CLUSTER_CHANGED, name);
    return 'deleted';
  });
}

export interface ClusterHealth {
  state: ClusterHealthState;
  /** For people: what is wrong and what to do; null when it is well. */
  message: string | null;
  /** Null: not known, as before. */
  version: string | null;
  missingPermissions: readonly string[];
}

/** What a look at a cluster of this revision came to. False: it was changed meanwhile, or is gone. */
export async function setClusterHealth(
  db: Db,
  { name, revision }: Pick<ClusterRecord, 'name' | 'revision'>,
  { state, message, version, missingPermissions }: ClusterHealth,
): Promise<boolean> {
  const { rows } = await sql<{ changed: boolean }>`
    with old as (select name, health, health_message, missing_permissions from cluster where name = ${name} and revision = ${revision}),
    new as (
      update cluster c set health = ${state}, health_message = ${message}, version = coalesce(${version}, c.version),
        missing_permissions = ${missingPermissions}::text[], checked_at = clock_timestamp(),
        health_since = case when c.health = ${state} then c.health_since else clock_timestamp() end
      where c.name = ${name} and c.revision = ${revision}
      returning c.name, c.health, c.health_message, c.missing_permissions)
    select new is distinct from old as changed, case when new is distinct from old then pg_notify(${CLUSTER_HEALTH_CHANGED}, ${name}) end
    from new, old`.execute(db);
  return rows.length > 0;
}
