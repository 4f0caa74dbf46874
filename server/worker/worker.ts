/** A worker: claims tasks up to its slots, has the supervisor run them, beats for them, reports how they ended. */
import type { LogChunk, TaskReport } from '#sdk/protocol.ts';
import type { RunnerEvent, SupervisorClient } from '#server/runner/supervisor-client.ts';
import type { WorkerInfo } from '#db/queries/worker.ts';
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
  onError(error: unknown): void;
}

export interface Worker {
  running(): number;
  /** Takes nothing more; resolves when what runs has ended and is reported. After `drainMs` it is interrupted. */
  stop(drainMs: number): Promise<void>;
}

export async function startWorker({ api, info, register, supervise, onError }: WorkerDeps): Promise<Worker> {
  const workerId = await (register ?? api.register)(info);
  /** Bytes of log by dispatch. */
  const running = new Map<string, number>();
  const slots = createSlotPool(info.slots, (dispatch) => {
    running.set(dispatch.dispatchId, 0);
    supervisor.start(dispatch);
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
    onAnswered: (report) => running.delete(report.dispatchId),
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
    onFenced: (dispatchId) => running.has(dispatchId) && supervisor.cancel(dispatchId, 'fenced'),
    onError,
  });

  return {
    running: () => running.size,
    async stop(drainMs) {
      slots.close();
      session.close();
      await api.retire(session.workerId(), 'draining').catch(onError);
      await supervisor.drain(drainMs);
      await logs.stop();
      await Promise.all(endings);
      await reports.idle();
      session.end();
      await supervisor.stop();
      await api.retire(session.workerId(), 'offline').catch(onError);
    },
  };
}
