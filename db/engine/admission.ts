/**
 * Which of the waiting task instances may be queued now. Pure. Instances are taken in order of rank, then age of their run; whoever
 * finds a gate without room closes it for all behind, so that nobody is overtaken, however many slots he needs. Who is turned away
 * by one gate takes nothing of the others.
 */
import { closedPoolGate, type Need } from './gates.ts';

export interface Candidate {
  rank: number;
  taskIndex: number;
  mapIndex: number;
}

export interface GateNeed {
  gate: string;
  need: Need;
}

/** The waiting instances of one gate set of a run: they need the same and wait as one. */
export interface WaitingSet {
  runId: number;
  set: number;
  needs: readonly GateNeed[];
  /** Best first: as many as were asked for. */
  candidates: readonly Candidate[];
  /** There are more. */
  more: boolean;
  /** It stands before a gate already. */
  registered: boolean;
}

/** Who waits at a gate and is not asked now. */
export interface Other {
  rank: number;
  runId: number;
  slots: number;
  capacity: number;
}

export interface GateState {
  held: number;
  /** Of a pool; null: there is none of that name. */
  poolSlots: number | null;
  /** Of a rate: tokens at `at`; null: full. */
  tokens: number | null;
  /** Milliseconds. */
  at: number;
  now: number;
  /** The best of the others. */
  next: Other | null;
}

export interface Admitted extends Candidate {
  runId: number;
  set: number;
  holds: { gate: string; slots: number }[];
}
export interface Registration {
  runId: number;
  set: number;
  gate: string;
  rank: number;
  slots: number;
  capacity: number;
}
export interface RateUse {
  gate: string;
  tokens: number;
  /** Seconds until the bucket is full. */
  fullIn: number;
  /** Seconds until somebody who waits gets a token; null: nobody waits. */
  dueIn: number | null;
}

export interface Admission {
  admitted: Admitted[];
  /** Sets that stand before a gate from now on. */
  register: Registration[];
  /** Sets that stand before none any more. */
  unregister: { runId: number; set: number }[];
  rates: RateUse[];
  /** Gates that have room for others who wait there, and how much. */
  follow: Map<string, number>;
  /** Runs that may have more to admit. */
  more: Set<number>;
}

export interface AdmissionInput {
  sets: readonly WaitingSet[];
  /** Per run: how many more tasks may be active. */
  room: ReadonlyMap<number, number>;
  gates: ReadonlyMap<string, GateState>;
}

interface Gate extends GateState {
  closed: boolean;
  /** Tokens now, once its rate is known. */
  level: number | null;
  rate: { limit: number; per: number } | null;
}

const ENOUGH = 1 - 1e-6;

export function admit({ sets, room, gates: states }: AdmissionInput): Admission {
  const gates = new Map([...states].map(([name, state]) => [name, openGate(state)]));
  const left = new Map(room);
  const blocked = new Map<WaitingSet, Registration>();
  const admitted: Admitted[] = [];
  const taken = new Map<WaitingSet, number>();
  for (const { set, candidate } of inOrder(sets)) {
    const runRoom = left.get(set.runId) ?? 0;
    if (runRoom === 0 || blocked.has(set)) continue;
    const stop = firstStop(set, candidate, gates);
    if (stop) {
      blocked.set(set, { ...stop, runId: set.runId, set: set.set, rank: candidate.rank });
      continue;
    }
    left.set(set.runId, runRoom - 1);
    taken.set(set, (taken.get(set) ?? 0) + 1);
    admitted.push({ ...candidate, runId: set.runId, set: set.set, holds: pass(set, gates) });
  }
  const isDone = (set: WaitingSet) => !blocked.has(set);
  const hasMore = (set: WaitingSet) =>
    isDone(set) && set.more && (left.get(set.runId) ?? 0) > 0 && taken.get(set) === set.candidates.length;
  return {
    admitted,
    register: [...blocked.values()],
    unregister: sets.filter((set) => set.registered && isDone(set)).map(({ runId, set }) => ({ runId, set })),
    rates: ratesOf(gates, blocked),
    follow: roomForOthers(gates),
    more: new Set(sets.filter(hasMore).map((set) => set.runId)),
  };
}

const openGate = (state: GateState): Gate => ({ ...state, closed: false, level: null, rate: null });

function inOrder(sets: readonly WaitingSet[]): { set: WaitingSet; candidate: Candidate }[] {
  return sets
    .flatMap((set) => set.candidates.map((candidate) => ({ set, candidate })))
    .sort(
      (a, b) =>
        a.candidate.rank - b.candidate.rank ||
        a.set.runId - b.set.runId ||
        a.candidate.taskIndex - b.candidate.taskIndex ||
        a.candidate.mapIndex - b.candidate.mapIndex,
    );
}

type Stop = Pick<Registration, 'gate' | 'slots' | 'capacity'>;

/** The first gate that does not let the candidate pass. */
function firstStop(set: WaitingSet, candidate: Candidate, gates: ReadonlyMap<string, Gate>): Stop | null {
  for (const { gate: name, need } of set.needs) {
    const gate = gates.get(name);
    if (!gate) throw new Error(`Nothing is known of gate ${name}.`);
    const slots = need.kind === 'pool' ? need.slots : 1;
    const capacity = need.kind === 'pool' ? (gate.poolSlots ?? 0) : need.limit;
    if (need.kind === 'pool' && slots > capacity) return { gate: closedPoolGate(need.pool), slots, capacity };
    const hasRoom = need.kind === 'rate' ? levelOf(gate, need) >= ENOUGH : gate.held + slots <= capacity;
    if (hasRoom && !gate.closed && !goesFirst(gate.next, candidate.rank, set.runId)) continue;
    gate.closed = true;
    return { gate: name, slots, capacity };
  }
  return null;
}

const goesFirst = (other: Other | null, rank: number, runId: number): boolean =>
  other !== null && (other.rank < rank || (other.rank === rank && other.runId < runId));

/** Tokens come evenly, up to the limit. */
function levelOf(gate: Gate, rate: { limit: number; per: number }): number {
  gate.rate ??= rate;
  gate.level ??=
    gate.tokens === null
      ? rate.limit
      : Math.min(rate.limit, gate.tokens + ((gate.now - gate.at) / 1000) * (rate.limit / rate.per));
  return gate.level;
}

/** Takes what the instance needs, and says what of it is held until it ends. */
function pass(set: WaitingSet, gates: ReadonlyMap<string, Gate>): { gate: string; slots: number }[] {
  return set.needs.flatMap(({ gate: name, need }) => {
    const gate = gates.get(name);
    if (!gate) return [];
    if (need.kind === 'rate') {
      gate.level = Math.max(0, levelOf(gate, need) - 1);
      return [];
    }
    const slots = need.kind === 'pool' ? need.slots : 1;
    gate.held += slots;
    return [{ gate: name, slots }];
  });
}

function ratesOf(gates: ReadonlyMap<string, Gate>, blocked: ReadonlyMap<WaitingSet, Registration>): RateUse[] {
  const waitedFor = new Set([...blocked.values()].map((registration) => registration.gate));
  return [...gates].flatMap(([gate, { level, rate, next }]) => {
    if (level === null || rate === null) return [];
    const perToken = rate.per / rate.limit;
    const isWaitedFor = waitedFor.has(gate) || next !== null;
    return [
      {
        gate,
        tokens: level,
        fullIn: (rate.limit - level) * perToken,
        dueIn: isWaitedFor ? Math.max(0, (1 - level) * perToken) : null,
      },
    ];
  });
}

function roomForOthers(gates: ReadonlyMap<string, Gate>): Map<string, number> {
  const follow = new Map<string, number>();
  for (const [name, { next, poolSlots, held, level, tokens }] of gates) {
    if (!next) continue;
    let room: number;
    if (name.startsWith('rate:')) room = Math.floor((level ?? tokens ?? 1) + 1e-6);
    else if (name.startsWith('nopool:')) room = poolSlots !== null && next.slots <= poolSlots ? poolSlots : 0;
    else if (!name.startsWith('pool:')) room = next.capacity - held;
    // Of a pool that has gone or has become too small for them: they are to wait elsewhere
    else room = poolSlots === null || next.slots > poolSlots ? next.slots : poolSlots - held;
    if (room >= next.slots) follow.set(name, room);
  }
  return follow;
}
