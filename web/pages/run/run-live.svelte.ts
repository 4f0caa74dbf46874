import type { CombinedError } from '@urql/core';
import { client } from '../../graphql/client.ts';
import { RunCursorQuery, RunEvents, RunQuery } from '../../graphql/documents/runs.ts';
import type { ResultOf } from '../../graphql/graphql.ts';
import { connection } from '../../state/connection.svelte.ts';
import { createFrameQueue } from '../../state/frame-queue.ts';
import { loadTaskRows } from './load-task-rows.ts';
import { applyChanges, collectChanges, type Changes, type RunEvent } from './run-changes.ts';
import { mergeRows, rankOf, withKeys, withoutKeys, type TaskRow } from './task-rows.ts';

export type Run = NonNullable<ResultOf<typeof RunQuery>['dagRun']>;

const CATCH_UP_WITHIN_MS = 5000;
const FINAL_RUN_STATES: ReadonlySet<Run['state']> = new Set(['SUCCESS', 'FAILED', 'CANCELLED']);

/** One run, live: a snapshot, then every event after its cursor, applied once per frame. It never goes back. */
export class RunLive {
  phase = $state<'loading' | 'ready' | 'missing' | 'failed'>('loading');
  error = $state.raw<CombinedError>();
  run = $state.raw<Run>();
  rows = $state.raw<readonly TaskRow[]>([]);
  /** Keys of rows whose change was asked for and has not been seen yet. */
  requested = $state.raw(withKeys([], []));
  cancelRequested = $state(false);
  allLoaded = $state(false);
  readonly live = $derived(this.run !== undefined && !FINAL_RUN_STATES.has(this.run.state));

  readonly #runId: string;
  #cursor = 0;
  /** Events that came while rows were still loading: a page may have been read before them. */
  #early: RunEvent[] = [];
  #rank: (taskIndex: number) => number = (taskIndex) => taskIndex;
  #load = new AbortController();
  #unsubscribe = () => {};
  #caughtUp: (() => void) | null = null;
  readonly #events = createFrameQueue<RunEvent>((events) => this.#apply(events));

  constructor(runId: string) {
    this.#runId = runId;
  }

  /** Starts; the function returned stops. */
  open(): () => void {
    const removeCatchUp = connection.onReconnect(() => this.#catchUp());
    void this.reload();
    return () => {
      removeCatchUp();
      this.#load.abort();
      this.#unsubscribe();
      this.#events.stop();
    };
  }

  /** Takes a new snapshot; what is shown stays until it is there. After a resync nothing known before counts. */
  async reload(resync = false): Promise<void> {
    this.#load.abort();
    const load = (this.#load = new AbortController());
    const { data, error } = await client
      .query(RunQuery, { runId: this.#runId }, { requestPolicy: 'network-only' })
      .toPromise();
    if (load.signal.aborted) return;
    if (!data?.dagRun) {
      this.error = error;
      this.phase = error ? 'failed' : 'missing';
      return;
    }
    this.#begin(data.dagRun, resync);
    await this.#loadRows(load.signal, resync);
  }

  requestTasks(keys: Iterable<string>): void {
    this.requested = withKeys(this.requested, keys);
  }
  forgetRequests(keys: Iterable<string>): void {
    this.requested = withoutKeys(this.requested, keys);
  }

  #begin(run: Run, resync: boolean): void {
    this.error = undefined;
    this.#rank = rankOf(run.version.tasks);
    // Events may have overtaken the snapshot: then the state they brought stays, and so does the subscription.
    if (this.run && !resync && this.#cursor > Number(run.cursor)) return;
    this.run = run;
    this.#cursor = Number(run.cursor);
    this.#follow(run.cursor);
  }

  #follow(after: string): void {
    this.#unsubscribe();
    this.#unsubscribe = client.subscription(RunEvents, { runId: this.#runId, after }).subscribe((result) => {
      if (result.error) this.error = result.error;
      else if (result.data?.dagRunEvents.kind === 'RESYNC') void this.reload(true);
      else if (result.data) this.#events.push(result.data.dagRunEvents);
    }).unsubscribe;
  }

  async #loadRows(signal: AbortSignal, resync: boolean): Promise<void> {
    this.allLoaded = false;
    const replaces = this.rows.length > 0;
    const loaded = await loadTaskRows(this.#runId, signal, (pages) => {
      // The first snapshot shows as it comes; a later one replaces the former as a whole.
      if (!replaces) this.#show(pages, false);
    });
    if (signal.aborted) return;
    if (!loaded.ok) {
      this.error = loaded.error;
      if (this.phase === 'loading') this.phase = 'failed';
      return;
    }
    this.#show(loaded.rows, resync);
    this.allLoaded = true;
    this.#early = [];
  }

  #show(loaded: readonly TaskRow[], resync: boolean): void {
    const rows = mergeRows(resync ? [] : this.rows, loaded, this.#rank);
    this.rows = applyChanges(rows, collectChanges(this.#early));
    this.phase = 'ready';
  }

  #apply(events: readonly RunEvent[]): void {
    const fresh = events.filter((event) => Number(event.cursor) > this.#cursor);
    for (const event of fresh) {
      this.#cursor = Number(event.cursor);
      this.#applyRunState(event);
    }
    if (!this.allLoaded) this.#early.push(...fresh);
    const changes = collectChanges(fresh);
    if (changes.size > 0) this.#applyToRows(changes);
    this.#caughtUp?.();
  }

  #applyToRows(changes: Changes): void {
    this.rows = applyChanges(this.rows, changes);
    if (this.requested.size > 0) this.forgetRequests(changes.keys());
    // A cleared task got more tries, which an event does not tell.
    const moreTries = this.rows.some((row) => row.tryNumber > row.maxTries && changes.has(row.key));
    if (moreTries && this.allLoaded) void this.reload();
  }

  #applyRunState({ runState, at }: RunEvent): void {
    if (!this.run || runState === null || runState === this.run.state) return;
    const ended = FINAL_RUN_STATES.has(runState);
    const startedAt = this.run.startedAt ?? (runState === 'QUEUED' ? null : at);
    this.run = { ...this.run, state: runState, startedAt, endedAt: ended ? at : null };
    if (ended) this.cancelRequested = false;
  }

  /** After a reconnect: resolves when all events up to the service's present one have been applied. */
  async #catchUp(): Promise<void> {
    if (!this.run) return this.reload();
    const { data } = await client
      .query(RunCursorQuery, { runId: this.#runId }, { requestPolicy: 'network-only' })
      .toPromise();
    const target = Number(data?.dagRun?.cursor ?? this.#cursor);
    await new Promise<void>((resolve) => {
      const giveUp = setTimeout(() => {
        this.#caughtUp = null;
        void this.reload().then(resolve);
      }, CATCH_UP_WITHIN_MS);
      this.#caughtUp = () => {
        if (this.#cursor < target) return;
        clearTimeout(giveUp);
        this.#caughtUp = null;
        resolve();
      };
      this.#caughtUp();
    });
  }
}
