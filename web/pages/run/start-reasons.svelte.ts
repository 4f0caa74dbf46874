import { client } from '../../graphql/client.ts';
import { WaitingReasonsQuery } from '../../graphql/documents/runs.ts';
import { createRefresh } from '../../state/refresh.ts';
import type { WaitingReason } from './waiting-word.ts';

const MOST_AT_ONCE = 100;
const EVERY_MS = 1000;

/** Why tasks that are starting have not begun: asked for those in view alone, together, and again when an event names one. */
export class StartReasons {
  #known = $state.raw<ReadonlyMap<string, WaitingReason | null>>(new Map());
  /** What was asked for, and as of which event. */
  readonly #asked = new Map<string, number>();
  #wished = new Map<string, number>();
  readonly #refresh = createRefresh(() => void this.#ask(), EVERY_MS);

  of(id: string): WaitingReason | null | undefined {
    return this.#known.get(id);
  }

  wish(id: string, seq: number): void {
    if (this.#asked.get(id) === seq) return;
    this.#wished.set(id, seq);
    // Rows that come into view together ask together
    queueMicrotask(() => this.#refresh.wish());
  }

  stop(): void {
    this.#refresh.stop();
  }

  async #ask(): Promise<void> {
    const now = [...this.#wished].slice(0, MOST_AT_ONCE);
    if (now.length === 0) return;
    for (const [id, seq] of now) {
      this.#wished.delete(id);
      this.#asked.set(id, seq);
    }
    if (this.#wished.size > 0) this.#refresh.wish();
    const ids = now.map(([id]) => id);
    const { data } = await client.query(WaitingReasonsQuery, { ids }, { requestPolicy: 'network-only' }).toPromise();
    if (!data) return;
    const reasons = data.taskInstances.map((instance, n) => [ids[n]!, instance?.waitingReason ?? null] as const);
    this.#known = new Map([...this.#known, ...reasons]);
  }
}
