import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, type AdmissionInput, type GateNeed, type GateState, type WaitingSet } from '#db/engine/admission.ts';

const STATE: GateState = { held: 0, poolSlots: null, tokens: null, at: 0, now: 0, next: null };
const poolNeed = (pool: string, slots = 1): GateNeed => ({ gate: `pool:${pool}`, need: { kind: 'pool', pool, slots } });
const limitNeed = (task: string, limit: number): GateNeed => ({
  gate: `task:1:${task}`,
  need: { kind: 'task', task, index: 0, limit },
});
const rateNeed = (limit: number, per: number): GateNeed => ({
  gate: 'rate:api',
  need: { kind: 'rate', task: 't', key: [], name: 'api', limit, per },
});

interface SetOptions {
  run?: number;
  set?: number;
  needs: GateNeed[];
  ranks?: number[];
}
const setOf = ({ run = 1, set = 2, needs, ranks = [0] }: SetOptions): WaitingSet => ({
  runId: run,
  set,
  needs,
  candidates: ranks.map((rank, i) => ({ rank, taskIndex: set, mapIndex: i })),
  more: false,
  registered: false,
});
const roomy = (sets: WaitingSet[]) => new Map(sets.map((set) => [set.runId, 1000]));

describe('admission', () => {
  it('lets nothing pass that finds its run full, and puts it before no gate', () => {
    const sets = [setOf({ needs: [poolNeed('p')] })];
    const { admitted, register } = admit({
      sets,
      room: new Map([[1, 0]]),
      gates: new Map([['pool:p', { ...STATE, poolSlots: 5 }]]),
    });
    expect({ admitted, register }).toEqual({ admitted: [], register: [] });
  });

  it('takes nothing of one gate where another does not let pass', () => {
    const sets = [setOf({ needs: [limitNeed('a', 1), poolNeed('p')] }), setOf({ run: 2, needs: [poolNeed('p')] })];
    const gates = new Map([
      ['task:1:a', { ...STATE, held: 1 }],
      ['pool:p', { ...STATE, poolSlots: 1 }],
    ]);
    const { admitted, register } = admit({ sets, room: roomy(sets), gates });
    expect(admitted.map((one) => one.runId)).toEqual([2]);
    expect(register).toMatchObject([{ runId: 1, gate: 'task:1:a' }]);
  });

  it('sends those who can never pass elsewhere, where they are in nobody’s way', () => {
    const sets = [setOf({ needs: [poolNeed('p', 3)] }), setOf({ run: 2, needs: [poolNeed('p')] })];
    const { admitted, register } = admit({
      sets,
      room: roomy(sets),
      gates: new Map([['pool:p', { ...STATE, poolSlots: 2 }]]),
    });
    expect(admitted.map((one) => one.runId)).toEqual([2]);
    expect(register).toMatchObject([{ runId: 1, gate: 'nopool:p' }]);
  });

  it('gives way to those who wait already and come first, and has them asked', () => {
    const sets = [setOf({ run: 5, needs: [poolNeed('p')] })];
    const next = { rank: -1, runId: 9, slots: 1, capacity: 2 };
    const { admitted, follow } = admit({
      sets,
      room: roomy(sets),
      gates: new Map([['pool:p', { ...STATE, poolSlots: 2, next }]]),
    });
    expect(admitted).toEqual([]);
    expect([...follow]).toEqual([['pool:p', 2]]);
  });

  it('spends tokens, which come back evenly, and says when the next one does', () => {
    const sets = [setOf({ needs: [rateNeed(2, 10)], ranks: [0, 0, 0] })];
    const gates = new Map([['rate:api', { ...STATE, tokens: 0, at: 0, now: 7500 }]]);
    const { admitted, rates, register } = admit({ sets, room: roomy(sets), gates });
    // 7.5 s are one token and a half
    expect(admitted.length).toBe(1);
    expect(register).toMatchObject([{ gate: 'rate:api' }]);
    expect(rates).toMatchObject([{ gate: 'rate:api', tokens: 0.5, dueIn: 2.5, fullIn: 7.5 }]);
  });

  it('never has more tokens than the limit, however long nobody came', () => {
    const sets = [setOf({ needs: [rateNeed(2, 10)], ranks: [0, 0, 0] })];
    const gates = new Map([['rate:api', { ...STATE, tokens: 1, at: 0, now: 1e9 }]]);
    expect(admit({ sets, room: roomy(sets), gates }).admitted.length).toBe(2);
  });
});

/** Three pools, two limits and a rate; sets of several runs that need some of them. */
const input: fc.Arbitrary<AdmissionInput> = fc
  .record({
    gates: fc.tuple(
      ...['pool:a', 'pool:b', 'task:1:x', 'task:1:y'].map((name) =>
        fc.record({
          name: fc.constant(name),
          held: fc.nat(4),
          slots: fc.option(fc.nat(6), { freq: 8 }),
          next: fc.option(
            fc.record({
              rank: fc.integer({ min: -2, max: 2 }),
              runId: fc.integer({ min: 1, max: 9 }),
              slots: fc.integer({ min: 1, max: 3 }),
            }),
          ),
        }),
      ),
    ),
    tokens: fc.option(fc.nat(3)),
    sets: fc.uniqueArray(
      fc.record({
        run: fc.integer({ min: 1, max: 4 }),
        set: fc.integer({ min: 1, max: 3 }),
        pool: fc.constantFrom('a', 'b', null),
        slots: fc.integer({ min: 1, max: 3 }),
        limits: fc.subarray(['x', 'y']),
        rate: fc.boolean(),
        ranks: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 1, maxLength: 5 }),
      }),
      { selector: ({ run, set }) => `${run}.${set}`, maxLength: 8, size: 'max' },
    ),
    room: fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }),
  })
  .map(({ gates, tokens, sets, room }) => ({
    gates: new Map<string, GateState>([
      ...gates.map(
        ({ name, held, slots, next }) =>
          [
            name,
            {
              ...STATE,
              held,
              poolSlots: name.startsWith('pool') ? slots : null,
              next: next && { ...next, capacity: 2 },
            },
          ] as const,
      ),
      ['rate:api', { ...STATE, tokens }],
    ]),
    sets: sets.map(({ run, set, pool, slots, limits, rate, ranks }) =>
      setOf({
        run,
        set,
        ranks: [...ranks].sort((a, b) => a - b),
        needs: [
          ...limits.map((task) => limitNeed(task, 2)),
          ...(pool ? [poolNeed(pool, slots)] : []),
          ...(rate ? [rateNeed(3, 60)] : []),
        ],
      }),
    ),
    room: new Map(room.map((n, i) => [i + 1, n])),
  }));

const capacityOf = ({ need }: GateNeed, state: GateState) =>
  need.kind === 'pool' ? (state.poolSlots ?? 0) : need.kind === 'rate' ? (state.tokens ?? 3) : 2;
const slotsOf = ({ need }: GateNeed) => (need.kind === 'pool' ? need.slots : 1);
const isFirst = (a: { rank: number; runId: number }, b: { rank: number; runId: number }) =>
  a.rank - b.rank || a.runId - b.runId;

/** What each gate has taken: who was let in adds up, from the words of the sets alone. */
function usage({ sets, gates }: AdmissionInput, { admitted }: ReturnType<typeof admit>) {
  const used = new Map([...gates].map(([name, state]) => [name, name.startsWith('rate') ? 0 : state.held]));
  for (const one of admitted)
    for (const need of sets.find((set) => set.runId === one.runId && set.set === one.set)!.needs)
      used.set(need.gate, used.get(need.gate)! + slotsOf(need));
  return used;
}

describe('whatever waits', () => {
  it('no gate and no run takes more than it has', () => {
    fc.assert(
      fc.property(input, (asked) => {
        const decided = admit(asked);
        const used = usage(asked, decided);
        for (const set of asked.sets)
          for (const need of set.needs) {
            const state = asked.gates.get(need.gate)!;
            const before = need.need.kind === 'rate' ? 0 : state.held;
            expect(used.get(need.gate)).toBeLessThanOrEqual(Math.max(before, capacityOf(need, state)));
          }
        for (const [runId, room] of asked.room)
          expect(decided.admitted.filter((one) => one.runId === runId).length).toBeLessThanOrEqual(room);
      }),
    );
  });

  it('who is turned away has a gate that is full, or another before him', () => {
    fc.assert(
      fc.property(input, (asked) => {
        const decided = admit(asked);
        const used = usage(asked, decided);
        for (const set of asked.sets) {
          const own = decided.admitted.filter((one) => one.runId === set.runId && one.set === set.set);
          const left = set.candidates.filter(({ mapIndex }) => !own.some((one) => one.mapIndex === mapIndex));
          const inRun = decided.admitted.filter((one) => one.runId === set.runId).length;
          const place = decided.register.find((one) => one.runId === set.runId && one.set === set.set);
          if (left.length === 0) {
            expect(place).toBeUndefined();
            continue;
          }
          if (!place) {
            expect(inRun).toBe(asked.room.get(set.runId));
            continue;
          }
          // It stands there with its best, and nothing better of it is left behind
          expect(place.rank).toBe(Math.min(...left.map((one) => one.rank)));
          if (place.gate.startsWith('nopool:')) continue;
          const need = set.needs.find(({ gate }) => gate === place.gate)!;
          const state = asked.gates.get(place.gate)!;
          const me = { rank: place.rank, runId: set.runId };
          const isFull = used.get(place.gate)! + slotsOf(need) > capacityOf(need, state);
          const someoneFirst =
            (state.next !== null && isFirst(state.next, me) < 0) ||
            decided.register.some((other) => other !== place && other.gate === place.gate && isFirst(other, me) <= 0);
          expect({ place, used: [...used], isFull, someoneFirst, ok: isFull || someoneFirst }).toMatchObject({
            ok: true,
          });
        }
      }),
    );
  });

  it('nobody passes a gate at which another waits who comes before him', () => {
    fc.assert(
      fc.property(input, (asked) => {
        const decided = admit(asked);
        for (const one of decided.admitted)
          for (const { gate } of asked.sets.find((set) => set.runId === one.runId && set.set === one.set)!.needs) {
            const next = asked.gates.get(gate)!.next;
            if (next) expect(isFirst(next, one)).toBeGreaterThanOrEqual(0);
            for (const other of decided.register)
              if (other.gate === gate) expect(isFirst(other, one)).toBeGreaterThanOrEqual(0);
          }
      }),
    );
  });

  it('a gate with room for its first is followed up', () => {
    fc.assert(
      fc.property(input, (asked) => {
        const decided = admit(asked);
        const used = usage(asked, decided);
        for (const [name, { next, poolSlots }] of asked.gates) {
          if (!next || !name.startsWith('task')) continue;
          expect(decided.follow.has(name)).toBe(used.get(name)! + next.slots <= next.capacity);
          expect(poolSlots).toBeNull();
        }
      }),
    );
  });
});
