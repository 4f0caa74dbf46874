/**
 * Sends reports in batches, each asking for as many new tasks as it frees slots. A report is kept until it is answered. Two batches are
 * under way at once: while Postgres works on one, the engine, the network and the tasks' children work on the other.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatch, ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import type { ClaimWish, SlotPool } from './worker-api.ts';

const MOST_REPORTS = 500;
/** Of results: a request has its limit. */
const MOST_BYTES = 8_000_000;
const MOST_FLIGHTS = 2;
/** A smaller batch is not worth two transactions. */
const LEAST_TO_SPLIT = 16;
const LONGEST_PAUSE_MS = 5000;

export interface ReportSender {
  push(report: TaskReport): void;
  /** Resolves when all reports are answered. */
  idle(): Promise<void>;
}

export interface ReportSenderDeps {
  queues: string[];
  slots: SlotPool;
  /** False: claim nothing more. */
  accepting(): boolean;
  send(reports: TaskReport[], claim: ClaimWish | null): Promise<{ answers: ReportAnswer[]; dispatches: Dispatch[] }>;
  onAnswered(report: TaskReport, answer: ReportAnswer): void;
  onError(error: unknown): void;
}

export function createReportSender({
  queues,
  slots,
  accepting,
  send,
  onAnswered,
  onError,
}: ReportSenderDeps): ReportSender {
  const queue: TaskReport[] = [];
  let flights = 0;
  let scheduled = false;
  const onIdle: (() => void)[] = [];

  const launch = () => {
    scheduled = false;
    while (queue.length > 0 && flights < MOST_FLIGHTS) {
      const batch = takeBatch();
      flights++;
      void fly(batch);
    }
    if (flights === 0) for (const resolve of onIdle.splice(0)) resolve();
  };

  /** Half of what finished together waits for nobody: it goes out beside the other half. */
  const takeBatch = () => {
    const halve = flights === 0 && queue.length >= LEAST_TO_SPLIT;
    const most = Math.min(MOST_REPORTS, halve ? Math.ceil(queue.length / 2) : queue.length);
    let n = 0;
    for (let bytes = 0; n < most && bytes < MOST_BYTES; n++) bytes += sizeOf(queue[n]);
    return queue.splice(0, n);
  };

  const fly = async (batch: TaskReport[]) => {
    // The slots that these reports free stay reserved until the answer says what fills them
    const reserved = batch.length + (accepting() ? slots.take() : 0);
    const { answers, dispatches } = await sendUntilAnswered(batch, reserved);
    flights--;
    batch.forEach((report, i) => onAnswered(report, answers[i] ?? 'UNKNOWN'));
    slots.deliver(dispatches, reserved);
    launch();
  };

  const sendUntilAnswered = async (batch: TaskReport[], reserved: number) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await send(batch, accepting() ? { queues, limit: reserved } : null);
      } catch (error) {
        onError(error);
        await sleep(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  };

  return {
    push(report) {
      queue.push(report);
      if (scheduled) return;
      scheduled = true;
      // After this tick: what finishes together is reported together
      queueMicrotask(launch);
    },
    idle: () => (scheduled || flights > 0 ? new Promise((resolve) => onIdle.push(resolve)) : Promise.resolve()),
  };
}

const sizeOf = (report: TaskReport | undefined): number => (report?.xcoms ? JSON.stringify(report.xcoms).length : 0);
