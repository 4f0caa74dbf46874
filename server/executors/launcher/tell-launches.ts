/** Tells the engine of launches that are held back, so that whoever follows their runs sees why; what goes on by itself soon is no news. */
import type { DispatchKey } from '#db/engine/dispatch-id.ts';
import type { Launch, LaunchPhase } from '#db/queries/launches.ts';

/** The least between two of the same launch, and how long ordinary progress must stand still to be told. */
export const TELL_EVERY_MS = 3_000;

/** They say what is being done, not what is wrong. */
const ORDINARY: ReadonlySet<string | null> = new Set([null, 'ContainerCreating', 'PodInitializing', 'InProgress']);
const BEFORE_START: ReadonlySet<LaunchPhase> = new Set(['waiting', 'creating', 'created', 'scheduled']);

/** What somebody who follows the run has been told of a launch. */
export interface Told {
  phase: LaunchPhase;
  reason: string | null;
  /** Milliseconds; null: nothing but that it was claimed. */
  at: number | null;
}
export const TOLD_BY_CLAIM: Told = { phase: 'waiting', reason: null, at: null };

/** Pure: when to tell what a launch is like now; null: that is known, or of no interest any more. */
export function tellAt({ phase, reason }: Pick<Launch, 'phase' | 'reason'>, told: Told, now: number): number | null {
  if (!BEFORE_START.has(phase)) return null;
  if (phase === told.phase && reason === told.reason) return null;
  const isNews = reason !== told.reason && !(ORDINARY.has(reason) && ORDINARY.has(told.reason));
  return isNews ? Math.max(now, (told.at ?? -Infinity) + TELL_EVERY_MS) : now + TELL_EVERY_MS;
}

export interface Teller {
  /** This is stored of it now. */
  stored(launch: Launch): void;
  /** It is over. */
  forget(uuid: string): void;
  stop(): void;
}

export interface TellerDeps {
  tell(keys: DispatchKey[]): Promise<void>;
  now(): number;
  onError(error: unknown): void;
}

interface DueNews extends Pick<Launch, 'phase' | 'reason'> {
  key: DispatchKey;
  at: number;
}

export function createTeller({ tell, now, onError }: TellerDeps): Teller {
  const told = new Map<string, Told>();
  const due = new Map<string, DueNews>();
  let timer: NodeJS.Timeout | undefined;

  const arm = () => {
    clearTimeout(timer);
    const next = Math.min(...[...due.values()].map(({ at }) => at));
    if (Number.isFinite(next)) timer = setTimeout(ring, Math.max(0, next - now()));
  };
  const ring = () => {
    const at = now();
    const ripe = [...due.values()].filter((one) => one.at <= at);
    for (const { key, phase, reason } of ripe) {
      due.delete(key.uuid);
      told.set(key.uuid, { phase, reason, at });
    }
    // Only a hint: whoever looks later sees it all the same
    if (ripe.length > 0) tell(ripe.map(({ key }) => key)).catch(onError);
    arm();
  };
  const forget = (uuid: string) => {
    told.delete(uuid);
    due.delete(uuid);
  };

  return {
    stored(launch) {
      const { runId, taskIndex, mapIndex, uuid, phase, reason } = launch;
      if (!BEFORE_START.has(phase)) return forget(uuid);
      const at = tellAt(launch, told.get(uuid) ?? TOLD_BY_CLAIM, now());
      if (at === null) return void due.delete(uuid);
      const planned = due.get(uuid)?.at ?? Infinity;
      due.set(uuid, { key: { runId, taskIndex, mapIndex, uuid }, phase, reason, at: Math.min(at, planned) });
      if (at < planned) arm();
    },
    forget,
    stop() {
      clearTimeout(timer);
      due.clear();
    },
  };
}
