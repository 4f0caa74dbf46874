/** DAGs as people change them: deploy, pause, delete. */
import { createHash } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import { canonicalJson } from '#sdk/canonical.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { GitCommit } from '#sdk/git-sources.ts';
import { timeScheduleOf } from '#sdk/schedule.ts';
import { isEntry } from '#db/engine/compiled-dag.ts';
import { readGraph } from '#db/engine/dag-graph.ts';
import { readFlow } from '#db/engine/flow.ts';
import { FREE_SET, gatesOf } from '#db/engine/gates.ts';
import { paramDefaults } from '#db/engine/param-defaults.ts';
import { ranksOf } from '#db/engine/priority-weight.ts';
import type { Db } from '#db/client.ts';
import type { DB } from '#db/types.ts';
import { linkAssets } from './asset-links.ts';
import { approveVersion } from './author-role.ts';
import type { DagChange } from './events.ts';
import { trashLogsOfDag } from './log-archive.ts';
import { nameQueues } from './queues.ts';
import { PARTITIONED } from './partitions.ts';
import { hasSameTiming, scheduleNextRun } from './schedule.ts';

export interface DeployRequest {
  /** Valid and complete: see validateDagSpec. */
  spec: DagSpec;
  bundle: { hash: string; archive: Buffer } | null;
  actor: string;
  /** Of the actor; absent or null counts as the least. */
  authorRole?: string | null;
  /** Where it comes from now; whoever deployed it before keeps it no longer. */
  origin?: DagOrigin | null;
  /** The Git source and commit it comes with. */
  git?: { source: string; commit: GitCommit } | null;
  /** Before anything is written: throws when this deployer may not deploy it, or not any more. `lock` gives the DAG as it is, locked. */
  check?(trx: Transaction<DB>, lock: () => Promise<KeptDag | undefined>): Promise<void>;
}

export interface DagOrigin {
  /** Who keeps it, such as `folder:/dags` or `cli`. */
  source: string | null;
  /** The file within the source. */
  path: string | null;
}

/** Who keeps a DAG that is there. */
export type KeptDag = Pick<DagOrigin, 'source'> & { active: boolean };

export interface Deployed {
  dagId: number;
  versionId: number;
  number: number;
  /** False: this very version was there already. */
  created: boolean;
}

/** Stores the DAG's spec and code. The same canonical content is the same version; the newest deployed version becomes current. */
export async function deployDag(db: Db, request: DeployRequest): Promise<Deployed> {
  const { spec, bundle, actor, origin, git = null, authorRole = null } = request;
  const canonical = canonicalJson(spec);
  const hash = createHash('sha256')
    .update(`${canonical}\n${bundle?.hash ?? ''}`)
    .digest('hex');
  return db.transaction().execute(async (trx) => {
    if (request.check) await request.check(trx, () => lockDag(trx, spec.dagId));
    if (bundle) await insertBundle(trx, bundle);
    const dag = await upsertDag(trx, spec, origin ?? null);
    const known = await trx
      .selectFrom('dag_version')
      .select(['id', 'number'])
      .where('dag_id', '=', dag.id)
      .where('hash', '=', hash)
      .executeTakeFirst();
    const version =
      known ??
      (await insertVersion(trx, {
        ...{ dagId: dag.id, hash, canonical, spec, bundleHash: bundle?.hash ?? null, actor, authorRole, git },
      }));
    if (known && authorRole === 'admin') await approveVersion(trx, known.id);
    if (dag.version_id !== version.id || !dag.active) {
      await trx.updateTable('dag').set({ version_id: version.id, active: true }).where('id', '=', dag.id).execute();
      // With the same timetable it goes on from where it is: a slot that is due now stays due
      const goesOn = dag.active && dag.version_id !== null && (await hasSameTiming(trx, dag.version_id, spec));
      if (!goesOn) await scheduleNextRun(trx, dag.id, spec);
      await linkAssets(trx, dag.id, spec);
      await nameQueues(
        trx,
        spec.tasks.map((task) => task.queue),
      );
      await recordDagEvent(trx, dag.id, { dag: 'deployed', by: actor, version: version.number });
    }
    return { dagId: dag.id, versionId: version.id, number: version.number, created: !known };
  });
}

async function insertBundle(trx: Transaction<DB>, { hash, archive }: { hash: string; archive: Buffer }): Promise<void> {
  await trx
    .insertInto('bundle')
    .values({ hash, archive, size: archive.length })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

const lockDag = (trx: Transaction<DB>, name: string) =>
  trx.selectFrom('dag').select(['source', 'active']).where('name', '=', name).forUpdate().executeTakeFirst();

async function upsertDag(
  trx: Transaction<DB>,
  spec: DagSpec,
  origin: DagOrigin | null,
): Promise<{ id: number; version_id: number | null; active: boolean }> {
  const columns = {
    owner: spec.owner,
    description: spec.description,
    tags: spec.tags,
    max_active_runs: spec.maxActiveRuns,
    max_failed_runs: spec.maxConsecutiveFailedRuns,
    overlap: spec.overlap,
    continuous: timeScheduleOf(spec.schedule)?.kind === 'continuous',
    concurrency_limit: spec.concurrency?.limit ?? null,
    concurrency_strategy: spec.concurrency?.strategy ?? null,
    retention: spec.retention && JSON.stringify(spec.retention),
    source: origin?.source ?? null,
    path: origin?.path ?? null,
  };
  return trx
    .insertInto('dag')
    .values({ name: spec.dagId, paused: spec.pausedOnCreation, ...columns })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ ...columns, updated_at: sql`now()` }))
    .returning(['id', 'version_id', 'active'])
    .executeTakeFirstOrThrow();
}

interface NewVersion {
  dagId: number;
  hash: string;
  canonical: string;
  spec: DagSpec;
  bundleHash: string | null;
  actor: string;
  authorRole: string | null;
  git: DeployRequest['git'];
}

async function insertVersion(trx: Transaction<DB>, version: NewVersion): Promise<{ id: number; number: number }> {
  const { tasks, concurrency } = version.spec;
  const gates = gatesOf(version.spec);
  const inserted = await trx
    .insertInto('dag_version')
    .values({
      dag_id: version.dagId,
      // The dag row is locked by the upsert, so no other deploy takes this number
      number: sql<number>`(select coalesce(max(number), 0) + 1 from dag_version where dag_id = ${version.dagId})`,
      hash: version.hash,
      bundle_hash: version.bundleHash,
      spec: version.canonical,
      task_count: tasks.length,
      max_active_tasks: version.spec.maxActiveTasks,
      run_timeout: version.spec.dagrunTimeout,
      created_by: version.actor,
      author_role: version.authorRole,
      ...(version.git && commitColumns(version.git)),
      gated: gates.sets.length > FREE_SET,
      concurrency_key: concurrency ? JSON.stringify(concurrency.key.map((path) => path.split('.'))) : null,
      param_defaults: concurrency ? JSON.stringify(paramDefaults(version.spec.params)) : null,
    })
    .returning(['id', 'number'])
    .executeTakeFirstOrThrow();
  const { expands, leaf, unitOf } = readFlow(version.spec, readGraph(tasks));
  // Only the engine makes instances of a mapped group's tasks
  const isInGroup = (i: number) => unitOf[i] !== -1 && unitOf[i] !== i;
  const column = <T>(pick: (task: DagSpec['tasks'][number]) => T) => tasks.map(pick);
  await sql`
    insert into dag_version_task (version_id, task_index, task_id, upstream_count, retries, entry, instant, leaf, expands, queue, rank, gate_set)
    select ${inserted.id}, n - 1, task_id, upstream_count, retries, entry, instant, leaf, expands, queue, rank, gate_set
    from unnest(${column((task) => task.taskId)}::text[], ${column((task) => task.upstream.length)}::int[], ${column((task) => task.retries)}::int[],
      ${tasks.map((task, i) => isEntry(task) && !isInGroup(i))}::bool[], ${column((task) => task.kind === 'empty')}::bool[],
      ${[...leaf].map(Boolean)}::bool[], ${[...expands].map(Boolean)}::bool[],
      ${column((task) => task.queue)}::text[], ${[...ranksOf(tasks)]}::int[], ${[...gates.setOf]}::int[])
      with ordinality t(task_id, upstream_count, retries, entry, instant, leaf, expands, queue, rank, gate_set, n)`.execute(
    trx,
  );
  return inserted;
}

const commitColumns = ({ source, commit }: NonNullable<DeployRequest['git']>) => ({
  git_source: source,
  commit_sha: commit.sha,
  commit_author: commit.author,
  commit_message: commit.message,
  commit_at: commit.at,
});

/** False: there is no such DAG. Un-pausing schedules from now on; queued runs may start. */
export async function setDagPaused(db: Db, dagId: number, paused: boolean, actor: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const dag = await trx
      .updateTable('dag')
      .set({
        paused,
        pause_reason: null,
        updated_at: sql`now()`,
        ...(paused ? {} : { failures_from: sql`clock_timestamp()` }),
      })
      .where('id', '=', dagId)
      .returning(['id', 'version_id'])
      .executeTakeFirst();
    if (!dag) return false;
    if (!paused && dag.version_id !== null) {
      const version = await trx
        .selectFrom('dag_version')
        .select('spec')
        .where('id', '=', dag.version_id)
        .executeTakeFirstOrThrow();
      await scheduleNextRun(trx, dagId, version.spec as unknown as DagSpec);
    }
    await recordDagEvent(trx, dagId, { dag: paused ? 'paused' : 'unpaused', by: actor });
    return true;
  });
}

/** `busy`: it has queued or running runs; cancel them first. Runs and their logs go with the DAG. */
export async function deleteDag(db: Db, dagId: number, actor: string): Promise<'deleted' | 'not_found' | 'busy'> {
  return db.transaction().execute(async (trx) => {
    const dag = await trx.selectFrom('dag').select('id').where('id', '=', dagId).forUpdate().executeTakeFirst();
    if (!dag) return 'not_found';
    const live = await trx
      .selectFrom('dag_run')
      .select('id')
      .where('dag_id', '=', dagId)
      .where('state', 'in', ['queued', 'running'])
      .limit(1)
      .executeTakeFirst();
    if (live) return 'busy';
    await recordDagEvent(trx, dagId, { dag: 'deleted', by: actor });
    await trashLogsOfDag(trx, dagId);
    for (const table of [...Object.keys(PARTITIONED), 'trigger_wait', 'note', 'asset_run_event']) {
      await sql`delete from ${sql.table(table)} where run_id in (select id from dag_run where dag_id = ${dagId})`.execute(
        trx,
      );
    }
    await trx.deleteFrom('dag_run').where('dag_id', '=', dagId).execute();
    await trx.updateTable('dag').set({ version_id: null }).where('id', '=', dagId).execute();
    await trx.deleteFrom('dag').where('id', '=', dagId).execute();
    return 'deleted';
  });
}

/**
 * Its file has gone: no further runs are scheduled; what runs goes on, what was is kept. False: it is inactive already, or has been
 * deployed from elsewhere since the caller looked.
 */
export async function deactivateDag(
  trx: Transaction<DB>,
  dagId: number,
  origin: DagOrigin,
  actor: string,
): Promise<boolean> {
  const dag = await trx
    .updateTable('dag')
    .set({ active: false, next_run_at: null, updated_at: sql`now()` })
    .where('id', '=', dagId)
    .where('active', '=', true)
    .where('source', 'is not distinct from', origin.source)
    .where('path', 'is not distinct from', origin.path)
    .returning('id')
    .executeTakeFirst();
  if (dag) await recordDagEvent(trx, dag.id, { dag: 'deactivated', by: actor });
  return dag !== undefined;
}

interface DagEventBody {
  dag: DagChange;
  by: string;
  version?: number;
  why?: string;
}

/** Under the dag's row lock, so its sequence is dense. */
export async function recordDagEvent(trx: Transaction<DB>, dagId: number, body: DagEventBody): Promise<void> {
  await sql`
    with d as (update dag set event_seq = event_seq + 1 where id = ${dagId} returning id, event_seq)
    insert into event (run_id, run_seq, body) select -id, event_seq, ${JSON.stringify(body)}::jsonb from d`.execute(
    trx,
  );
  await sql`select pg_notify('millrace_event', ''), pg_notify('millrace_schedule', '')`.execute(trx);
}
