/** One task in a Pod of its own: fetched, run by a supervisor, beaten for, and its log and its end brought to the service. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatch, LogChunk, ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import type { RunnerEvent, SupervisorClient } from '../runner/supervisor-client.ts';
import { anyOf } from '../abort.ts';
import { askUntilAnswered } from '../worker/ask-until-answered.ts';
import { lostReport } from '../worker/lost-report.ts';
import { createResultUploads, removeResultFiles, type ResultFiles } from '../worker/result-uploads.ts';
import { ServiceRefusal } from '../worker/service-answer.ts';
import { EXIT } from './exit-codes.ts';
import type { PodLog } from './pod-log.ts';
import type { PodService } from './pod-service.ts';
import { createLogSpool } from '../worker/spool/log-spool.ts';

/** A sixth of a lease. */
const BEAT_MS = 10_000;
/** Of silence, before the start and after the end. A task that runs is let run, however long the service is away. */
const PATIENCE_MS = 3_600_000;
/** Nobody waits for what a fenced dispatch has to say. */
const FAREWELL_MS = 5_000;

export interface OneTaskDeps {
  service: PodService;
  /** For messages. */
  url: string;
  /** Starts the supervisor; its events come to `onEvent`. */
  supervise(onEvent: (event: RunnerEvent) => void): SupervisorClient;
  log: PodLog;
  /** Where the log is kept while the service is away. */
  spoolDir: string;
  beatMs?: number;
  patienceMs?: number;
}

export interface TaskEnd {
  /** One of EXIT. */
  code: number;
  /** For people. */
  message: string;
}

export interface OneTask {
  /** Never rejects. */
  ended: Promise<TaskEnd>;
  /** The Pod is being stopped: what runs is interrupted, and what can be told in this time is told. */
  interrupt(withinMs: number): void;
}

export function startOneTask(deps: OneTaskDeps): OneTask {
  const { service, url, log, spoolDir, beatMs = BEAT_MS, patienceMs = PATIENCE_MS } = deps;
  const stopping = new AbortController();
  /** Nothing more is to be waited for. */
  const over = new AbortController();
  let dispatch: Dispatch | null = null;
  let fenced = false;
  let logBytes = 0;

  const logs = createLogSpool({
    append: (chunks) => service.appendLogs(chunks),
    // Its output has a limit, so the files need none
    ...{ dir: spoolDir, limit: Infinity },
    onFull: (full) => supervisor.setPaused(full),
    onError: (error) => log.warn({ error }, 'the log could not be sent yet'),
  });
  const uploads = createResultUploads(service, (error) => log.warn({ error }, 'a result could not be sent yet'));

  let finish!: (end: { report: TaskReport; files?: ResultFiles }) => void;
  const finished = new Promise<{ report: TaskReport; files?: ResultFiles }>((resolve) => (finish = resolve));
  const ship = (chunk: LogChunk) => {
    logBytes = chunk.offset + Buffer.byteLength(chunk.body);
    logs.push(chunk);
  };
  const supervisor = deps.supervise((event) => {
    if (event.type === 'log') ship(event.chunk);
    else if (event.type === 'finished') finish(event);
    else if (event.type === 'supervisor_lost')
      for (const dispatchId of event.dispatchIds) finish({ report: lostReport(dispatchId, event.why, logBytes) });
  });

  const beat = async () => {
    if (fenced || !dispatch || (await service.beat())) return;
    fenced = true;
    log.warn({}, 'the dispatch is no longer the current one');
    supervisor.cancel(dispatch.dispatchId, 'fenced');
    overAfter(FAREWELL_MS);
  };
  const beatNow = () => void beat().catch((error: unknown) => log.warn({ error }, 'a beat was not answered'));
  const overAfter = (ms: number) => void setTimeout(() => over.abort(new Error('There is no more time.')), ms).unref();

  /** The log is complete before the end is told: whoever sees the end can read all of it. */
  const tell = async (report: TaskReport, files: ResultFiles | undefined): Promise<TaskEnd> => {
    await logs.flushed(report.dispatchId);
    const whole = files ? await uploads.upload(report, files) : report;
    await removeResultFiles(Object.values(files ?? {}).map(({ path }) => path));
    const answer = await askUntilAnswered({ url, log, signal: over.signal, ask: () => service.report(whole) });
    log.info({ outcome: whole.outcome, cause: whole.cause, answer }, 'the task has ended');
    return endOf(whole, answer);
  };
  const run = async (): Promise<TaskEnd> => {
    const { signal, release } = anyOf([stopping.signal], { timeoutMs: patienceMs });
    dispatch = await askUntilAnswered({ url, log, signal, ask: () => service.exchange() }).finally(release);
    const { dagId, taskId, tryNumber } = dispatch;
    log.info({ dagId, taskId, tryNumber }, 'the task starts');
    const timer = setInterval(beatNow, beatMs);
    supervisor.start(dispatch);
    beatNow();
    const { report, files } = await finished;
    overAfter(patienceMs);
    try {
      return await beforeEnd(tell(report, files), over.signal);
    } finally {
      clearInterval(timer);
    }
  };
  const close = async (end: TaskEnd): Promise<TaskEnd> => {
    await Promise.race([supervisor.stop(), sleep(FAREWELL_MS, undefined, { ref: false })]);
    return end;
  };

  return {
    ended: run()
      .catch((error: unknown) => failedEnd(error, { fenced, stopped: stopping.signal.aborted }))
      .then(close),
    interrupt(withinMs) {
      if (stopping.signal.aborted) return;
      log.info({ withinSeconds: withinMs / 1_000 }, 'asked to stop');
      stopping.abort(new Error('The Pod is being stopped.'));
      overAfter(withinMs);
      // Without waiting for it: `finished` brings its end
      void supervisor.drain(0);
    },
  };
}

function endOf({ outcome, cause, message }: TaskReport, answer: ReportAnswer): TaskEnd {
  if (answer === 'FENCED' || answer === 'UNKNOWN')
    return { code: EXIT.fenced, message: 'The dispatch was no longer the current one when the task ended.' };
  if (cause === 'interrupted') return { code: EXIT.interrupted, message: message ?? 'Interrupted.' };
  if (outcome === 'failed') return { code: EXIT.failed, message: message ?? cause };
  return { code: EXIT.ok, message: message ?? outcome };
}

function failedEnd(error: unknown, { fenced, stopped }: { fenced: boolean; stopped: boolean }): TaskEnd {
  const said = error instanceof Error ? error.message : String(error);
  if (fenced) return { code: EXIT.fenced, message: 'The dispatch is no longer the current one: what ran was killed.' };
  if (stopped) return { code: EXIT.interrupted, message: 'Stopped before the end of the task could be told.' };
  if (error instanceof ServiceRefusal) return { code: EXIT.refused, message: `The service refuses: ${said}` };
  return { code: EXIT.unreachable, message: `The service could not be reached: ${said}` };
}

function beforeEnd<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_resolve, reject) => {
      const abort = () => reject(signal.reason as Error);
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    }),
  ]);
}
