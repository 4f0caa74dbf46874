/** Sends reports in batches, each asking for as many new tasks as it frees slots. A report is kept until it is answered. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatch, ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import type { ClaimWish, SlotPool } from './worker-api.ts';

const MOST_REPORTS = 500;
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
  send(reports: TaskReport[], claim: ClaimWish): Promise<{ answers: ReportAnswer[]; dispatches: Dispatch[] }>;
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
  let sending: Promise<void> | undefined;

  const sendAll = async () => {
    while (queue.length > 0) {
      const batch = queue.splice(0, MOST_REPORTS);
      // The slots that these reports free stay reserved until the answer says what fills them
      const reserved = batch.length + (accepting() ? slots.take() : 0);
      const { answers, dispatches } = await sendUntilAnswered(batch, reserved);
      batch.forEach((report, i) => onAnswered(report, answers[i] ?? 'UNKNOWN'));
      slots.deliver(dispatches, reserved);
    }
    sending = undefined;
  };

  const sendUntilAnswered = async (batch: TaskReport[], reserved: number) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await send(batch, { queues, limit: accepting() ? reserved : 0 });
      } catch (error) {
        onError(error);
        await sleep(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  };

  return {
    push(report) {
      queue.push(report);
      // After this tick: what finishes together is reported together
      sending ??= Promise.resolve().then(sendAll);
    },
    async idle() {
      while (sending) await sending;
    },
  };
}
