/** Breaks the service for a while, as the seed says: the same faults in the same order, two at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FAULTS, type Fault, type FaultName, type Random } from './faults.ts';
import type { Fleet } from './fleet.ts';

export interface Nemesis {
  /** Ends what it has begun; everything runs and every line passes after it. */
  stop(): Promise<void>;
  /** What it did and when, for people. */
  timeline(): string[];
}

export interface NemesisOptions {
  fleet: Fleet;
  seed: number;
  /** Each once, and again from the start until `stop`. */
  faults: readonly FaultName[];
}

/** mulberry32 */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  return items.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0]!);
}

const AT_ONCE = 2;
const PAUSE_MS = 1_500;

export function startNemesis({ fleet, seed, faults }: NemesisOptions): Nemesis {
  const random = randomFrom(seed);
  const abort = new AbortController();
  const began = performance.now();
  const lines: string[] = [];
  const busy = new Set<string>();
  const say = (text: string) => lines.push(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);

  const plan = (function* () {
    // What takes longest comes first, so that it ends in time
    const isLong = (name: FaultName) => name === 'pauseWorkerBeyondLease';
    for (let round = 0; ; round++) {
      const order = shuffled(faults, random);
      yield* round === 0 ? order.sort((a, b) => Number(isLong(b)) - Number(isLong(a))) : order;
    }
  })();
  /** The next fault whose victim is at rest. */
  const next = (): Fault => {
    for (;;) {
      const fault = FAULTS[plan.next().value!]({ fleet, random });
      if (!busy.has(fault.victim)) return fault;
      say(`(${fault.victim} is busy already)`);
    }
  };
  const track = async (delay: number) => {
    await sleep(delay, undefined, { signal: abort.signal }).catch(() => undefined);
    while (!abort.signal.aborted) {
      const fault = next();
      busy.add(fault.victim);
      say(fault.text);
      await fault.inflict(abort.signal).catch((error: unknown) => say(`FAILED: ${fault.text}: ${String(error)}`));
      busy.delete(fault.victim);
      await sleep(PAUSE_MS, undefined, { signal: abort.signal }).catch(() => undefined);
    }
  };
  // The long pause keeps one of them to itself
  const count = faults.length === 0 ? 0 : AT_ONCE + 1;
  const tracks = Array.from({ length: count }, (_, i) => track(500 + i * PAUSE_MS));
  return {
    async stop() {
      abort.abort();
      await Promise.all(tracks);
      say('all is mended');
      for (const member of fleet.members) {
        member.line.pass();
        await member.start();
      }
    },
    timeline: () => lines,
  };
}
