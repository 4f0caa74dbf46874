/** Launches that wait for their turn to be created: for room on the cluster, in the namespace, for what went before them. */
import type { Placement, Verdict } from '#db/queries/launches.ts';
import type { Entry } from './launch-context.ts';
import { createNamespaceGate, type NamespaceGate } from './namespace-gate.ts';
import type { Target } from './target.ts';

/** Of one pass. */
const MOST_AT_ONCE = 200;
/** The net under missed wake-ups. */
const MOST_MS = 5_000;
const AFTER_ERROR_MS = 1_000;

export interface Line {
  /** Resolves when it may be created. Rejects with the signal's reason. */
  wait(entry: Entry, target: Target, signal: AbortSignal): Promise<void>;
  /** What became of that; `quota`: it did not fit. */
  tried(namespace: string, outcome: 'created' | 'quota' | 'other'): void;
  /** Something in the namespace has ended, or went. */
  freed(namespace: string): void;
  /** Something else may let one pass. */
  wake(): void;
  length(): number;
  stop(): Promise<void>;
}

export interface LineDeps {
  place(launches: Placement[]): Promise<Map<string, Verdict>>;
  /** It waits for this reason. */
  holds(entry: Entry, reason: string, message: string): void;
  now(): number;
  onError(error: unknown): void;
}

interface Waiter {
  entry: Entry;
  target: Target;
  go(): void;
}

const WHY: { [verdict in Exclude<Verdict, 'admitted'>]: [reason: string, message: string] } = {
  cluster_full: ['cluster_full', 'As many Pods as the cluster is set to run at once are there.'],
  predecessor: ['predecessor', 'What a former try has left on the cluster is not gone yet.'],
};

export function createLine({ place, holds, now, onError }: LineDeps): Line {
  const waiting = new Map<string, Waiter>();
  const gates = new Map<string, NamespaceGate>();
  let timer: NodeJS.Timeout | undefined;
  let passing: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const gateOf = (namespace: string) => {
    const gate = gates.get(namespace) ?? createNamespaceGate();
    gates.set(namespace, gate);
    return gate;
  };

  const isDue = ({ entry: { launch } }: Waiter) => (launch.notBefore?.getTime() ?? 0) <= now();

  /** The first that are due, as far as their namespaces let them. */
  const candidates = (): Waiter[] => {
    const byNamespace = new Map<string, Waiter[]>();
    for (const waiter of waiting.values()) {
      if (!isDue(waiter)) continue;
      const there = byNamespace.get(waiter.target.namespace);
      if (there) there.push(waiter);
      else byNamespace.set(waiter.target.namespace, [waiter]);
    }
    return [...byNamespace].flatMap(([namespace, there]) =>
      there.slice(0, gateOf(namespace).take(Math.min(there.length, MOST_AT_ONCE), now())),
    );
  };

  const pass = async () => {
    const asked = candidates();
    if (asked.length === 0) return;
    const verdicts = await place(asked.map(placementOf)).catch((error: unknown) => {
      for (const { target } of asked) gateOf(target.namespace).skipped();
      throw error;
    });
    for (const waiter of asked) settle(waiter, verdicts.get(waiter.entry.key.uuid));
  };
  const settle = ({ entry, target, go }: Waiter, verdict: Verdict | undefined) => {
    if (verdict === 'admitted') return go();
    // It was not tried after all
    gateOf(target.namespace).skipped();
    if (verdict) holds(entry, ...WHY[verdict]);
  };

  const nextMs = (): number => {
    const due = [...waiting.values()].map(({ entry }) => (entry.launch.notBefore?.getTime() ?? 0) - now());
    const gate = [...gates.values()].flatMap((one) => one.opensIn(now()) ?? []);
    const soonest = Math.min(MOST_MS, ...due.filter((ms) => ms > 0), ...gate);
    return Math.max(10, soonest);
  };

  const wake = () => {
    again = true;
    passing ??= run();
  };
  const run = async () => {
    await Promise.resolve();
    let failed = false;
    while (again && !stopped && !failed) {
      again = false;
      await pass().catch((error: unknown) => {
        failed = true;
        onError(error);
      });
    }
    passing = undefined;
    clearTimeout(timer);
    if (!stopped && waiting.size > 0) timer = setTimeout(wake, failed ? AFTER_ERROR_MS : nextMs());
  };

  return {
    wait: (entry, target, signal) =>
      new Promise((resolve, reject) => {
        const leave = (settled: () => void) => {
          waiting.delete(entry.key.uuid);
          signal.removeEventListener('abort', abort);
          settled();
        };
        const abort = () => leave(() => reject(signal.reason as Error));
        if (signal.aborted) return reject(signal.reason as Error);
        signal.addEventListener('abort', abort);
        waiting.set(entry.key.uuid, { entry, target, go: () => leave(resolve) });
        wake();
      }),
    tried(namespace, outcome) {
      const gate = gateOf(namespace);
      if (outcome === 'quota') gate.refused(now());
      else if (outcome === 'created') gate.succeeded();
      else gate.skipped();
      wake();
    },
    freed(namespace) {
      if (waiting.size === 0) return;
      gateOf(namespace).freed();
      // Those that did not fit may fit now
      for (const { entry, target } of waiting.values())
        if (target.namespace === namespace && entry.launch.reason === 'quota') entry.launch.notBefore = null;
      wake();
    },
    wake,
    length: () => waiting.size,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await passing;
    },
  };
}

const placementOf = ({ entry, target }: Waiter): Placement => ({
  uuid: entry.key.uuid,
  kind: target.kind,
  api: target.api,
  namespace: target.namespace,
  name: target.name,
  onFinish: target.onFinish,
});
