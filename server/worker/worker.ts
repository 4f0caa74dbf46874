/** A worker: claims tasks up to its slots, has the supervisor run them, beats for them, reports how they ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogChunk, TaskReport } from '#sdk/protocol.ts';
import type { RunnerEvent, SupervisorClient } from '#server/runner/supervisor-client.ts';
import type { DrainMode, WorkerInfo, WorkerUsage } from '#db/queries/worker.ts';
import { createLogShipper } from './log-shipper.ts';
import { lostReport } from './lost-report.ts';
import { createReportSender } from './report-sender.ts';
import { createResultUploads, type ResultFiles } from './result-uploads.ts';
import { openSession } from './session.ts';
import { createSlotPool } from './slot-pool.ts';
import type { WorkerApi } from './worker-api.ts';

export interface WorkerDeps {
  api: WorkerApi;
  info: WorkerInfo;
  /** The first registration, before anything else is started; `api.register`, once, when not given. */
  register?(info: WorkerInfo): Promise<number>;
  /** Starts the supervisor; its events come to `onEvent`. */
  supervise(onEvent: (event: RunnerEvent) => void): SupervisorClient;
  /** What a beat tells of CPU and memory. */
  measure?(): Promise<WorkerUsage>;
  /** It was asked to drain, or no longer. */
  onDrain?(mode: DrainMode | null): void;
  /** It was asked to drain, and is free. */
  onDrained?(): void;
  onError(error: unknown): void;
}

export interface Worker {
  running(): number;
  /** Takes nothing more; resolves when what runs has ended and is reported. After `drainMs` it is interrupted. */
  stop(drainMs: number): Promise<void>;
  /** As `stop`, and what runs is interrupted now; resolves when that is told, at the latest after some seconds. */
  handBack(): Promise<void>;
}

/** That interrupted tasks have. */
const GRACE_MS = 5_000;
/** Once what runs has ended: to tell the service. */
const FAREWELL_MS = 5_000;

export async function startWorker(deps: WorkerDeps): Promise<Worker> {
  const { api, info, register, supervise, onError } = deps;
  const workerId = await (register ?? api.register)(info);
  /** Bytes of log by dispatch. */
  const running = new Map<string, number>();
  let finished = 0;
  let drain: DrainMode | null = null;
  let stopping: Promise<void> | undefined;
  const slots = createSlotPool({
    size: info.slots,
    onDispatch(dispatch) {
      running.set(dispatch.dispatchId, 0);
      supervisor.start(dispatch);
      // Asked for before it was to hand everything back
      if (drain === 'hand_back') supervisor.handBack();
    },
    onIdle: () => drain !== null && deps.onDrained?.(),
  });
  const logs = createLogShipper({
    append: (chunks) => api.appendLogs(chunks),
    onFull: (full) => supervisor.setPaused(full),
    onError,
  });
  const reports = createReportSender({
    queues: info.queues,
    slots,
    accepting: () => slots.isOpen(),
    send: (batch, claim) => api.report(session.workerId(), batch, claim),
    onAnswered(report) {
      running.delete(report.dispatchId);
      finished += 1;
    },
    onError,
  });

  const uploads = createResultUploads(api, onError);
  /** Reports that wait for their log or their large results. */
  const endings = new Set<Promise<void>>();

  /** The log is complete before the end is told: whoever sees the end can read all of it. */
  const finish = (report: TaskReport, files?: ResultFiles) => {
    if (report.logBytes === 0 && !files) return reports.push(report);
    const ending = complete(report, files).then((whole) => reports.push(whole), onError);
    endings.add(ending);
    void ending.finally(() => endings.delete(ending));
  };
  const complete = async (report: TaskReport, files?: ResultFiles): Promise<TaskReport> => {
    await logs.flushed(report.dispatchId);
    return files ? uploads.upload(report, files) : report;
  };
  const ship = (chunk: LogChunk) => {
    running.set(chunk.dispatchId, chunk.offset + Buffer.byteLength(chunk.body));
    logs.push(chunk);
  };
  const onEvent = (event: RunnerEvent) => {
    if (event.type === 'log') ship(event.chunk);
    else if (event.type === 'finished') finish(event.report, event.files);
    else if (event.type === 'supervisor_lost')
      for (const dispatchId of event.dispatchIds) finish(lostReport(dispatchId, running.get(dispatchId) ?? 0));
  };
  const supervisor = supervise(onEvent);

  const session = openSession({
    api,
    info,
    workerId,
    slots,
    running: () => [...running.keys()],
    measure: async () => ({ finished, usage: (await deps.measure?.()) ?? null }),
    onFenced: (dispatchId) => running.has(dispatchId) && supervisor.cancel(dispatchId, 'fenced'),
    onDrain(mode) {
      if (stopping) return;
      drain = mode;
      deps.onDrain?.(mode);
      if (mode === null) return slots.open();
      slots.close();
      if (mode === 'hand_back') supervisor.handBack();
      if (slots.isIdle()) deps.onDrained?.();
    },
    onError,
  });

  const stop = async (drainMs: number) => {
    slots.close();
    session.close();
    const retired = api.retire(session.workerId(), 'draining').catch(onError);
    await supervisor.drain(drainMs);
    await logs.stop();
    await Promise.all(endings);
    await reports.idle();
    await Promise.all([retired, supervisor.stop()]);
    await session.end();
  };
  return {
    running: () => running.size,
    stop: (drainMs) => (stopping ??= stop(drainMs)),
    async handBack() {
      supervisor.handBack();
      await Promise.race([(stopping ??= stop(0)), sleep(FAREWELL_MS + GRACE_MS)]);
      await supervisor.stop();
    },
  };
}
