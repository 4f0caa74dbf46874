/** What a worker has to tell: the logs of its tasks, their large results, and how they ended, in this order. */
import type { LogChunk, TaskReport } from '#sdk/protocol.ts';
import { lostReport } from './lost-report.ts';
import { createReportSender, type ReportSenderDeps } from './report-sender.ts';
import { createResultUploads, removeResultFiles, type ResultFiles } from './result-uploads.ts';
import { createSpool } from './spool/spool.ts';
import type { WorkerApi } from './worker-api.ts';

export interface SpoolOptions {
  /** A folder of this process, made when it is needed; null: there is none. */
  dir: string | null;
  /** Bytes. */
  limit: number;
}

export interface OutgoingDeps extends Pick<ReportSenderDeps, 'queues' | 'slots' | 'accepting'> {
  api: WorkerApi;
  spool: SpoolOptions;
  workerId(): number;
  /** True: tasks should print no more. */
  onFull(full: boolean): void;
  /** The service knows how it ended. */
  onAnswered(dispatchId: string): void;
  onError(error: unknown): void;
}

export interface Outgoing {
  log(chunk: LogChunk): void;
  finish(report: TaskReport, files?: ResultFiles): void;
  /** Ended with what ran it; its log says so too. */
  lost(dispatchId: string, why: string): void;
  /** Resolves when the service knows all of it. */
  told(): Promise<void>;
  /** What it does not know is written down. Nothing more may come. */
  leave(): Promise<void>;
}

export function createOutgoing({ api, onAnswered, onError, ...deps }: OutgoingDeps): Outgoing {
  /** Bytes of log by dispatch, of those that have any. */
  const logged = new Map<string, number>();
  const spool = createSpool({
    ...deps.spool,
    append: (chunks) => api.appendLogs(chunks),
    onFull: deps.onFull,
    onError,
  });
  const reports = createReportSender({
    ...deps,
    send: (batch, claim) => api.report(deps.workerId(), batch, claim),
    onAnswered({ dispatchId }) {
      spool.endings.remove(dispatchId);
      logged.delete(dispatchId);
      onAnswered(dispatchId);
    },
    onError,
  });
  const uploads = createResultUploads(api, onError);
  /** Reports that wait for their log or their large results. */
  const waiting = new Set<Promise<void>>();

  /** The log is complete before the end is told: whoever sees the end can read all of it. */
  const complete = async (report: TaskReport, files?: ResultFiles): Promise<TaskReport> => {
    await spool.logs.flushed(report.dispatchId);
    if (!files) return report;
    const paths = Object.values(files).map(({ path }) => path);
    const whole = await uploads.upload(report, files);
    spool.endings.put({ report: whole });
    await removeResultFiles(paths);
    return whole;
  };
  const finish: Outgoing['finish'] = (report, files) => {
    spool.endings.put({ report, files });
    if (report.logBytes === 0 && !files) return reports.push(report);
    const ending = complete(report, files).then((whole) => reports.push(whole), onError);
    waiting.add(ending);
    void ending.finally(() => waiting.delete(ending));
  };
  const log = (chunk: LogChunk) => {
    logged.set(chunk.dispatchId, chunk.offset + Buffer.byteLength(chunk.body));
    spool.logs.push(chunk);
  };

  return {
    log,
    finish,
    lost(dispatchId, why) {
      const report = lostReport(dispatchId, why);
      log({ dispatchId, offset: logged.get(dispatchId) ?? 0, body: `${new Date().toISOString()} s ${why}\n` });
      finish({ ...report, logBytes: logged.get(dispatchId) ?? 0 });
    },
    async told() {
      await Promise.all(waiting);
      await reports.idle();
    },
    leave: spool.leave,
  };
}
