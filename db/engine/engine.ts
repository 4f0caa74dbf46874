/** The engine: everything that changes the state of runs and tasks goes through here. Any number of them share one database. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import type { Dispatch, ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { Vault } from '#db/vault.ts';
import { registerWorker, type WorkerInfo } from '#db/queries/worker.ts';
import { addClosingLines } from '#db/queries/closing-lines.ts';
import type { EndRunRequest, EndRunResult } from '#db/queries/task-transitions/end-run.ts';
import { TELL_BROKER } from '#db/queries/task-transitions/ready-rows.ts';
import { RENEW_LEASES } from '#db/queries/task-transitions/keep-alive.ts';
import { createAdmittance } from './admittance.ts';
import { POSTGRES_BROKER, type Broker } from './broker.ts';
import { createClaims } from './claims.ts';
import { createConnections } from './connections.ts';
import { parseDispatchId, type DispatchKey } from './dispatch-id.ts';
import { createDispatches } from './dispatches.ts';
import { endRun } from './end-run.ts';
import { editTasks, type EditedTask, type EditRefusal, type EditRequest } from './edit-tasks.ts';
import { endSuperseded } from './end-superseded.ts';
import { createGroupCommit } from './group-commit.ts';
import { dispatchColumns } from './key-columns.ts';
import { createPausedQueues } from './paused-queues.ts';
import { closingLine, findExpired, findTasksOf, findUndelivered } from './lost-tasks.ts';
import { createReports } from './reports.ts';
import { createVersions, type Versions } from './versions.ts';
import { findCurrent } from './find-current.ts';
import type { ClaimRequest, CreatedRun, NewRun, StartedDispatch, WorkItem } from './work-items.ts';

export type { CreatedRun, NewRun } from './work-items.ts';

export interface ReportRequest {
  workerId: number | null;
  reports: TaskReport[];
  /** What the worker would take next: `limit` counts the slots that these reports free. */
  claim?: Pick<ClaimRequest, 'queues' | 'limit' | 'rows'>;
}

export interface ReportResponse {
  /** In the reports' order. */
  answers: ReportAnswer[];
  dispatches: Dispatch[];
}

/** A worker inside this process. */
export interface LocalWorker {
  workerId: number;
  queues: string[];
  takeSlots(): number;
  deliver(dispatches: Dispatch[], reserved: number): void;
}

export interface Engine {
  createRuns(runs: NewRun[]): Promise<CreatedRun[]>;
  /** Starts queued runs of these DAGs where max_active_runs has room. */
  startRuns(dagIds: number[]): Promise<void>;
  claim(request: ClaimRequest): Promise<Dispatch[]>;
  report(request: ReportRequest): Promise<ReportResponse>;
  /** The code of these dispatches runs on their cluster. */
  start(started: StartedDispatch[]): Promise<void>;
  /** What holds these dispatches back on their cluster is another thing now: whoever follows their runs looks again. */
  tell(told: DispatchKey[]): Promise<void>;
  /** What the runners of these dispatches are told, once more; those that are not current any more are left out. */
  redispatch(keys: DispatchKey[]): Promise<Dispatch[]>;
  /** Renews the leases; those in `fenced` are no longer current: kill them. */
  heartbeat(request: { workerId: number | null; dispatchIds: string[] }): Promise<{ fenced: string[] }>;
  /** Ends a run before its tasks have ended. */
  endRun(request: EndRunRequest): Promise<EndRunResult>;
  cancelRun(runId: number, actor: string): Promise<'cancelled' | 'not_found' | 'finished'>;
  editTasks(request: EditRequest): Promise<EditedTask[] | EditRefusal>;
  /** Retries whose time has come. */
  wakeTasks(keys: Omit<DispatchKey, 'uuid'>[]): Promise<void>;
  /** Puts back what is missing from the ready, waiting and timer tables of these runs. */
  reviewRuns(runIds: number[]): Promise<void>;
  /** Who waits at these gates may pass, as far as there is room: a pool has grown, a rate has a token again. */
  wakeGates(gates: string[]): Promise<void>;
  /** The net under all limits: gives back what nobody holds any more, wakes gates that nobody came to, ends runs that have no place. */
  reviewGates(): Promise<void>;
  /** A worker that comes back under its name has lost what it ran before: those tries end at once. */
  registerWorker(info: WorkerInfo): Promise<number>;
  /** Puts dispatches back in line that never reached their worker, without counting a try; says how many. */
  relaunchUndelivered(): Promise<number>;
  /** Ends tries whose lease has expired; says how many. */
  expireLeases(): Promise<number>;
  attachLocalWorker(worker: LocalWorker): () => void;
  /** A queue was paused or resumed: from when this resolves on, nothing of a paused one is handed out here. */
  queuesChanged(): Promise<void>;
  /** Tasks may be ready for a local worker. */
  kick(): void;
  versions: Versions;
  stop(): Promise<void>;
}

/** Flushes of a process that may run at once, each on a connection of its own. */
export const ENGINE_CONNECTIONS = 2;

export interface EngineDeps {
  url: string;
  db: Db;
  pool: pg.Pool;
  /** Opens the secrets that tasks refer to; without one such tasks fail. */
  vault?: Vault | null;
  /** Who tells which tasks are ready; not given: the table. */
  broker?: Broker;
  /** Flushes that may run at once. */
  connections?: number;
  onError(error: unknown): void;
}

export function createEngine(deps: EngineDeps): Engine {
  const {
    url,
    db,
    pool,
    vault = null,
    broker = POSTGRES_BROKER,
    connections: size = ENGINE_CONNECTIONS,
    onError,
  } = deps;
  const connections = createConnections(url, size, broker.tells ? [TELL_BROKER] : []);
  const versions = createVersions(pool);
  const dispatches = createDispatches(pool, versions, vault);
  const paused = createPausedQueues(pool);
  const settleKeys = (dagIds: number[] | null) => endSuperseded(db, dagIds, end);
  const commit = createGroupCommit({
    connections,
    versions,
    paused,
    broker,
    follow: (left) => admittance.follow(left),
    settleKeys,
    onError,
  });
  const admittance = createAdmittance({ pool, versions, submit: (item) => commit.submit(item) });
  const claims = createClaims({ pool, broker, paused, submit: (item) => commit.submit(item), onError });
  const reports = createReports({ pool, versions, submit: (item) => commit.submit(item), onError });

  /** A run that a person ended makes room, one that was cleared needs it. The change stands already: what fails here, the scheduler mends. */
  const startWaitingRuns = async (runId: number) => {
    await versions.loadRuns([runId]);
    const dag = versions.ofRun(runId);
    if (!dag) return;
    const done = (item: (resolve: () => void, reject: (error: unknown) => void) => WorkItem) =>
      new Promise<void>((resolve) => commit.submit(item(resolve, (error) => resolve(onError(error)))));
    await Promise.all([
      // Mapped tasks that were cleared get their instances
      dag.flow.members.size > 0 &&
        done((resolve, reject) => ({ kind: 'review', rows: 1, runIds: [runId], resolve, reject })),
      done((resolve, reject) => ({ kind: 'start', rows: 1, dagIds: [dag.dagId], resolve, reject })),
    ]);
  };

  const end = async (request: EndRunRequest) => {
    await versions.loadRuns([request.runId]);
    const result = await endRun(pool, versions.ofRun(request.runId), request);
    if (result === 'ended') await Promise.all([admittance.tidy([request.runId]), startWaitingRuns(request.runId)]);
    return result;
  };

  return {
    versions,
    createRuns: (runs) =>
      runs.length === 0
        ? Promise.resolve([])
        : new Promise((resolve, reject) => {
            const named = runs.map((run) => ({ ...run, runKey: run.runKey ?? runKey(run) }));
            commit.submit({ kind: 'create', rows: runs.length, runs: named, resolve, reject });
          }),
    startRuns: (dagIds) =>
      new Promise((resolve, reject) => commit.submit({ kind: 'start', rows: 1, dagIds, resolve, reject })),
    claim: async (request) => dispatches.build(await claims.claim(request)),
    async report(request) {
      const { answers, claimed } = await reports.submit(claims.withReport(request));
      const more = await claims.afterReport(request, claimed.length);
      return { answers, dispatches: await dispatches.build([...claimed, ...more]) };
    },
    async start(started) {
      if (started.length === 0) return;
      return new Promise((resolve, reject) =>
        commit.submit({ kind: 'running', rows: started.length, started, resolve, reject }),
      );
    },
    async tell(told) {
      if (told.length === 0) return;
      return new Promise((resolve, reject) =>
        commit.submit({ kind: 'tell', rows: told.length, told, resolve, reject }),
      );
    },
    redispatch: async (keys) => dispatches.build(await findCurrent(pool, keys)),
    async heartbeat({ dispatchIds }) {
      const keys = dispatchIds.map(parseDispatchId);
      const known = keys.filter((key) => key !== null);
      if (known.length === 0) return { fenced: dispatchIds };
      const { rows } = await pool.query<{ n: number }>({ ...RENEW_LEASES, values: dispatchColumns(known) });
      const alive = new Set(rows.map((row) => known[row.n - 1]));
      return { fenced: dispatchIds.filter((_, i) => !alive.has(keys[i] ?? undefined)) };
    },
    endRun: end,
    async cancelRun(runId, actor) {
      const reason = `The run was cancelled by ${actor}`;
      const how = { as: 'cancelled', rest: 'cancelled', cause: 'cancelled', atOnce: true } as const;
      const result = await end({ ...how, runId, actor, reason });
      return result === 'not_found' || result === 'finished' ? result : 'cancelled';
    },
    async editTasks(request) {
      const edited = await editTasks(pool, versions, request);
      if (Array.isArray(edited) && !request.dryRun)
        await Promise.all([admittance.tidy([request.runId]), startWaitingRuns(request.runId)]);
      commit.kick();
      return edited;
    },
    async wakeTasks(keys) {
      await versions.loadRuns(keys.map((key) => key.runId));
      return new Promise((resolve, reject) =>
        commit.submit({ kind: 'wake', rows: keys.length, keys, resolve, reject }),
      );
    },
    async reviewRuns(runIds) {
      await versions.loadRuns(runIds);
      return new Promise((resolve, reject) =>
        commit.submit({ kind: 'review', rows: runIds.length, runIds, resolve, reject }),
      );
    },
    wakeGates: (gates) => admittance.wake(gates),
    async reviewGates() {
      await admittance.review();
      await settleKeys(null);
    },
    async registerWorker(info) {
      const { workerId, replaced } = await registerWorker(db, info);
      const lost = await findTasksOf(pool, replaced);
      // For people to read: no end waits for want of it
      await addClosingLines(pool, lost.map(closingLine)).catch(onError);
      await reports.endLost(lost);
      return workerId;
    },
    relaunchUndelivered: async () => reports.takeBack(await findUndelivered(pool)),
    expireLeases: async () => reports.endLost(await findExpired(pool)),
    attachLocalWorker: (worker) =>
      commit.attach({
        workerId: worker.workerId,
        queues: worker.queues,
        takeSlots: () => worker.takeSlots(),
        deliver(claimed, reserved) {
          dispatches.build(claimed).then(
            (built) => worker.deliver(built, reserved),
            (error: unknown) => {
              onError(error);
              worker.deliver([], reserved);
            },
          );
        },
      }),
    async queuesChanged() {
      await paused.reload();
      await commit.settled();
    },
    kick: () => commit.kick(),
    async stop() {
      await commit.stop();
      await connections.close();
    },
  };
}

/** Unique without asking, so that a create whose commit's answer was lost may be sent again. */
const runKey = (run: NewRun): string => {
  const at = (run.logicalDate ?? new Date()).toISOString();
  return run.kind === 'scheduled' ? `scheduled__${at}` : `${run.kind}__${at}__${randomBytes(4).toString('hex')}`;
};
