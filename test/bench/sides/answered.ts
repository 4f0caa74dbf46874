import type { WorkerApi } from '#server/worker/worker-api.ts';
import { nowUs } from './serve.ts';

export interface Answered {
  api: WorkerApi;
  /** Resolves when so many more reports are recorded; rejects when one is refused. */
  next(count: number): Promise<void>;
  /** So far; `at` of the last one, microseconds. */
  total(): { count: number; at: number; refused: string | null };
}

/** Counts the reports whose record is committed. */
export function createAnswered(api: WorkerApi): Answered {
  let count = 0;
  let at = 0;
  let wrong: string | null = null;
  let waiting: { until: number; resolve(): void; reject(error: Error): void } | null = null;
  const settle = (refused: string | undefined) => {
    wrong ??= refused ?? null;
    if (!waiting) return;
    if (refused) waiting.reject(new Error(`A report was answered ${refused}.`));
    else if (count >= waiting.until) waiting.resolve();
  };
  return {
    api: {
      ...api,
      async report(...request) {
        const response = await api.report(...request);
        count += response.answers.length;
        at = nowUs();
        settle(response.answers.find((answer) => answer !== 'ACCEPTED'));
        return response;
      },
    },
    next: (more) =>
      new Promise((resolve, reject) => {
        waiting = { until: count + more, resolve, reject };
      }),
    total: () => ({ count, at, refused: wrong }),
  };
}
