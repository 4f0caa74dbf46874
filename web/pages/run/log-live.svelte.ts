import type { CombinedError } from '@urql/core';
import { client } from '../../graphql/client.ts';
import { TaskLog } from '../../graphql/documents/runs.ts';
import type { ResultOf } from '../../graphql/graphql.ts';
import { createFrameQueue } from '../../state/frame-queue.ts';

type LogPage = ResultOf<typeof TaskLog>['taskLog'];
export type LogLine = LogPage['lines'][number];

/** A browser keeps this many lines of a log; the oldest leave first. */
const KEPT_LINES = 200_000;

/** The log of one try: everything so far, then line by line as the task writes, until its end. */
export class LogLive {
  lines = $state.raw<readonly LogLine[]>([]);
  dropped = $state(0);
  complete = $state(false);
  error = $state.raw<CombinedError>();
  loading = $state(true);

  #nextOffset = 0;
  #unsubscribe = () => {};
  readonly #pages = createFrameQueue<LogPage>((pages) => this.#append(pages));

  /** Starts; the function returned stops. */
  open(taskInstanceId: string, tryNumber: number): () => void {
    const variables = { taskInstanceId, try: tryNumber, after: 0 };
    this.#unsubscribe = client.subscription(TaskLog, variables).subscribe((result) => {
      if (result.error) {
        this.error = result.error;
        this.loading = false;
      } else if (result.data) {
        this.#pages.push(result.data.taskLog);
      }
    }).unsubscribe;
    return () => {
      this.#unsubscribe();
      this.#pages.stop();
    };
  }

  #append(pages: readonly LogPage[]): void {
    const added: LogLine[] = [];
    for (const page of pages) {
      // A page may be sent again after a reconnect: only what lies behind the end is new.
      for (const line of page.lines) if (line.offset >= this.#nextOffset) added.push(line);
      this.#nextOffset = Math.max(this.#nextOffset, page.nextOffset);
      this.complete ||= page.complete;
    }
    this.loading = false;
    if (added.length === 0) return;
    const all = this.lines.concat(added);
    this.dropped += Math.max(0, all.length - KEPT_LINES);
    this.lines = all.length > KEPT_LINES ? all.slice(-KEPT_LINES) : all;
  }
}
