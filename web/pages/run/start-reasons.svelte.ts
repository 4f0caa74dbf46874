import { client } from '../../graphql/client.ts';
import { WaitingReasonsQuery } from '../../graphql/documents/runs.ts';
import { createRefresh } from '../../state/refresh.ts';
import { createReasonWishes, withReasons, type Reasons, type WaitingReason } from './reason-wishes.ts';

const EVERY_MS = 1000;

/** Why tasks that are starting have not begun: asked for those in view alone, together, and again when an event names one. */
export class StartReasons {
  #known = $state.raw<Reasons>(withReasons([], [], []));
  readonly #wishes = createReasonWishes();
  readonly #refresh = createRefresh(() => void this.#ask(), EVERY_MS);

  of(id: string): WaitingReason | null | undefined {
    return this.#known.get(id);
  }

  /** Of a row as of this event. */
  wish(id: string, seq: number): void {
    // Rows that come into view together ask together
    if (this.#wishes.add(id, seq)) queueMicrotask(() => this.#refresh.wish());
  }

  stop(): void {
    this.#refresh.stop();
  }

  async #ask(): Promise<void> {
    const { ids, more } = this.#wishes.take();
    if (more) this.#refresh.wish();
    if (ids.length === 0) return;
    const { data } = await client.query(WaitingReasonsQuery, { ids }, { requestPolicy: 'network-only' }).toPromise();
    if (data) this.#known = withReasons(this.#known, ids, data.taskInstances);
  }
}
