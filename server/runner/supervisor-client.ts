import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArtifactRef, Dispatch, LogChunk, TaskReport } from '#sdk/protocol.ts';
import { runtimeOf } from '#sdk/task-code.ts';
import type { ResultFile } from './large-results.ts';
import type { FromSupervisor, PackageSettings } from './messages.ts';
import { signalGroup } from './process-group.ts';
import { startSupervisorProcess, type SupervisorProcess } from './supervisor-process.ts';

type ResultFiles = { [key: string]: ResultFile };

export type RunnerEvent =
  | { type: 'log'; chunk: LogChunk }
  /** The code of the task is about to run. */
  | { type: 'started'; dispatchId: string }
  /** Its log is complete. */
  | {
      type: 'finished';
      report: TaskReport;
      /** To be uploaded before the report goes out, and removed. */ files?: ResultFiles;
    }
  /** These were with a supervisor that died; their processes are dead too. */
  | { type: 'supervisor_lost'; dispatchIds: string[]; /** For people. */ why: string };

export interface SupervisorClientOptions {
  /** Folder of the worker; tasks work below it. */
  home: string;
  /** Where the bundle is unpacked. */
  fetchBundleDir(hash: string, dispatchId: string): Promise<string>;
  /** A file with a large result of another task, for the processes that read it. */
  fetchArtifact?(dispatchId: string, artifact: ArtifactRef): Promise<string>;
  onEvent(event: RunnerEvent): void;
  pythonCommand?: string;
  /** How the packages of a bundle's requirements.txt are installed, and how much of the disk they may take. */
  packages?: Partial<PackageSettings>;
  /** Bytes; null: no limit. */
  maxTaskMemory?: number | null;
  /** Bytes of log per try. */
  outputLimit?: number;
  /** Bytes of one result as JSON. */
  resultLimit?: number;
  /** From SIGTERM to SIGKILL. */
  graceMs?: number;
  maxNodeChildren?: number;
  /** Tasks after which a warm child is replaced. */
  childTasks?: number;
  /** Bytes above which it is. */
  childMemory?: number;
  /** How long `drain` lets tasks run on. */
  drainMs?: number;
  /** Between two pings of the supervisor. */
  pingMs?: number;
  /** What tasks see; see taskEnvironment. */
  environment?: { [name: string]: string };
}

export interface SupervisorClient {
  start(dispatch: Dispatch): void;
  cancel(dispatchId: string, reason: 'cancelled' | 'fenced' | 'timeout'): void;
  /** Dispatch ids that were started and have not finished. */
  running(): string[];
  /** Takes no more; resolves when all have finished. What still runs after the drain time is interrupted. */
  drain(timeoutMs?: number): Promise<void>;
  /** Interrupts what runs, and gives back what has not begun, and what comes until all of it has ended. */
  handBack(): void;
  /** Interrupts what runs, and ends the supervisor. */
  stop(): Promise<void>;
  /** Reads no more output until it is undone; tasks that print much wait then. */
  setPaused(paused: boolean): void;
  /** Of the supervisor; undefined while there is none. */
  pid(): number | undefined;
}

const MIB = 1024 * 1024;
/** What the code of tasks leaves in memory ends with the process that it is in. */
export const CHILD_LIMITS = { tasks: 20_000, memory: 512 * MIB };
/** Bytes of virtual environments. */
export const CACHED_PACKAGES = 10 * 1024 * MIB;
const DRAIN_MS = 10 * 60_000;
const FETCH_DELAYS_MS = [200, 1_000, 3_000];
/** Before a supervisor is started again that ended at once. */
const RESTART_DELAY_MS = 1_000;

export function createSupervisorClient(options: SupervisorClientOptions): SupervisorClient {
  const { home, fetchBundleDir, onEvent } = options;
  const graceMs = options.graceMs ?? 5_000;
  const settings = {
    pythonCommand: options.pythonCommand ?? 'python3',
    packages: { pipArgs: [], environment: {}, limit: CACHED_PACKAGES, ...options.packages, dir: join(home, 'venvs') },
    maxTaskMemory: options.maxTaskMemory ?? null,
    outputLimit: options.outputLimit ?? 100 * MIB,
    resultLimit: options.resultLimit ?? 64 * MIB,
    graceMs,
    maxNodeChildren: options.maxNodeChildren ?? 64,
    childTasks: options.childTasks ?? CHILD_LIMITS.tasks,
    childMemory: options.childMemory ?? CHILD_LIMITS.memory,
    environment: options.environment ?? { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  };
  const running = new Map<string, { sent: boolean; pid: number | null }>();
  const idleWaiters = new Set<() => void>();
  let supervisor: SupervisorProcess | null = null;
  let startedAt = -Infinity;
  let closing = false;
  let paused = false;
  let interrupted = false;

  const remove = (dispatchId: string): boolean => {
    const known = running.delete(dispatchId);
    if (running.size > 0) return known;
    interrupted = false;
    for (const wake of idleWaiters) wake();
    return known;
  };
  const finish = (report: TaskReport, files?: ResultFiles) => {
    if (remove(report.dispatchId)) onEvent({ type: 'finished', report, ...(files && { files }) });
  };
  const begun = (dispatchId: string, pid: number | null) => {
    const known = running.get(dispatchId);
    if (known) known.pid = pid;
    onEvent({ type: 'started', dispatchId });
  };
  const onMessages = (messages: FromSupervisor[]) => {
    for (const message of messages) {
      if (message.type === 'finished') finish(message.report, message.files);
      else if (message.type === 'started') begun(message.dispatchId, message.pid);
      else if (message.type === 'log') onEvent(message);
    }
  };
  const ensureSupervisor = (): SupervisorProcess => {
    if (supervisor) return supervisor;
    startedAt = performance.now();
    const onGone = (why: string) => {
      if (supervisor === started) supervisor = null;
      const lost = [...running].filter(([, { sent }]) => sent);
      for (const [dispatchId, { pid }] of lost) {
        // Where the system does not tell what was started by whom.
        if (pid !== null) signalGroup(pid, 'SIGKILL');
        remove(dispatchId);
      }
      const dispatchIds = lost.map(([dispatchId]) => dispatchId);
      if (lost.length > 0) onEvent({ type: 'supervisor_lost', dispatchIds, why });
    };
    const { pingMs } = options;
    const started = startSupervisorProcess({ home, settings, onMessages, onGone, pingMs });
    supervisor = started;
    started.setPaused(paused);
    return started;
  };
  const idle = () =>
    new Promise<void>((resolve) => {
      if (running.size === 0) return resolve();
      idleWaiters.add(resolve);
    });

  const launch = async (dispatch: Dispatch) => {
    const { dispatchId } = dispatch;
    let bundleDir: string | null = null;
    try {
      bundleDir =
        dispatch.bundleHash === null
          ? null
          : await withRetries(() => fetchBundleDir(dispatch.bundleHash ?? '', dispatchId));
    } catch (error) {
      return finish(bundleUnavailable(dispatch, error));
    }
    try {
      await fetchLargeResults(dispatch, options.fetchArtifact, () => running.has(dispatchId));
    } catch (error) {
      return finish(resultUnavailable(dispatch, error));
    }
    if (!supervisor && performance.now() - startedAt < RESTART_DELAY_MS) await sleep(RESTART_DELAY_MS);
    const known = running.get(dispatchId);
    if (!known) return;
    if (closing || interrupted) return finish(released(dispatchId));
    known.sent = true;
    ensureSupervisor().send({ op: 'start', dispatch, bundleDir });
  };

  const setPaused = (value: boolean) => {
    paused = value && !interrupted;
    supervisor?.setPaused(paused);
  };
  const interrupt = () => {
    // What ends now is to be heard of, however much it has printed.
    interrupted = running.size > 0;
    setPaused(false);
    if (running.size === 0) return;
    for (const [dispatchId, { sent }] of [...running]) if (!sent) finish(released(dispatchId));
    supervisor?.send({ op: 'interrupt' });
  };

  ensureSupervisor();
  return {
    start(dispatch) {
      const { dispatchId } = dispatch;
      if (running.has(dispatchId)) return;
      running.set(dispatchId, { sent: false, pid: null });
      if (closing || interrupted) finish(released(dispatchId));
      else void launch(dispatch);
    },
    cancel(dispatchId, reason) {
      const known = running.get(dispatchId);
      if (known?.sent) supervisor?.send({ op: 'stop', dispatchId, reason });
      else if (known) finish(withdrawn(dispatchId, reason));
    },
    running: () => [...running.keys()],
    handBack: interrupt,
    pid: () => supervisor?.pid,
    setPaused,
    async drain(timeoutMs = options.drainMs ?? DRAIN_MS) {
      closing = true;
      const timer = setTimeout(interrupt, timeoutMs);
      await idle();
      clearTimeout(timer);
    },
    async stop() {
      closing = true;
      interrupt();
      await Promise.race([idle(), sleep(graceMs + 2_000, undefined, { ref: false })]);
      await supervisor?.close();
    },
  };
}

async function withRetries<T>(fetch: () => Promise<T>): Promise<T> {
  for (const delay of FETCH_DELAYS_MS) {
    try {
      return await fetch();
    } catch {
      await sleep(delay);
    }
  }
  return fetch();
}

type FetchArtifact = SupervisorClientOptions['fetchArtifact'];

/** Those that the task may read: its inputs; all of them, where its code or a template may ask for any. */
async function fetchLargeResults(
  { task, xcoms, dispatchId }: Dispatch,
  fetch: FetchArtifact,
  isWanted: () => boolean,
): Promise<void> {
  const large = xcoms.filter((xcom) => xcom.artifact);
  if (large.length === 0) return;
  const mayAsk = runtimeOf(task) === 'python' || JSON.stringify(task).includes('xcom_pull');
  const inputs = Object.values(task.inputs);
  for (const xcom of large) {
    const isInput = inputs.some((input) => input.task === xcom.taskId && input.key === xcom.key);
    const { artifact } = xcom;
    if (!artifact || (!mayAsk && !isInput)) continue;
    if (!fetch) throw new Error('this worker cannot fetch large results');
    const path = await withRetries(async () => (isWanted() ? fetch(dispatchId, artifact) : null));
    if (path === null) return;
    artifact.path = path;
  }
}

const released = (dispatchId: string): TaskReport => ({
  dispatchId,
  outcome: 'released',
  cause: 'interrupted',
  message: 'The worker was stopped before the task began.',
  logBytes: 0,
});

const withdrawn = (dispatchId: string, reason: 'cancelled' | 'fenced' | 'timeout'): TaskReport => ({
  dispatchId,
  outcome: 'failed',
  cause: reason === 'timeout' ? 'timeout' : 'cancelled',
  message: 'Stopped before the task began.',
  logBytes: 0,
  ...(reason !== 'timeout' && { retryable: false }),
});

const resultUnavailable = ({ dispatchId }: Dispatch, error: unknown): TaskReport => ({
  dispatchId,
  outcome: 'failed',
  cause: 'result_unavailable',
  message: `A large result that the task reads could not be fetched: ${error instanceof Error ? error.message : String(error)}`,
  logBytes: 0,
});

const bundleUnavailable = ({ dispatchId, bundleHash }: Dispatch, error: unknown): TaskReport => ({
  dispatchId,
  outcome: 'failed',
  cause: 'bundle_unavailable',
  message: `The DAG's bundle ${bundleHash?.slice(0, 12)} could not be fetched: ${error instanceof Error ? error.message : String(error)}`,
  logBytes: 0,
});
