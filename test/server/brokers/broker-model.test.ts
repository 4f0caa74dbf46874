/** Whatever happens to what a broker holds, and to servers between taking and claiming: each ready task is claimed exactly once. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Dispatch } from '#sdk/protocol.ts';
import { mendReadySets } from '#server/brokers/mend-ready-sets.ts';
import type { ReadySets } from '#server/brokers/ready-sets.ts';
import { prefixOf, readySetsOf, startBrokeredEngine, type BrokeredEngine } from '../../helpers/brokers.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { dagOf, reportOf, statesOf } from '../../helpers/engine.ts';
import { startTestRedis, type TestRedis } from '../../helpers/redis.ts';

const database = await createTestDatabase();
let redis: TestRedis;
let servers: BrokeredEngine[];
let sets: ReadySets;
let prefix: string;
let workerId: number;
let dags = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  servers = [await startBrokeredEngine(database, redis), await startBrokeredEngine(database, redis)];
  sets = await readySetsOf(database, redis);
  prefix = await prefixOf(database);
  workerId = await servers[0]!.engine.worker();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  expect(servers.flatMap(({ engine }) => engine.errors)).toEqual([]);
  await redis.stop();
});

type Act =
  | { act: 'create'; server: number; chains: number }
  | { act: 'claim'; server: number; limit: number; queues: number }
  | { act: 'claim twice'; limit: number }
  | { act: 'report'; server: number; count: number; limit: number }
  | { act: 'forget all' }
  | { act: 'forget one'; nth: number }
  | { act: 'repeat'; nth: number }
  | { act: 'mix up' }
  | { act: 'take and die'; limit: number }
  | { act: 'mend' };

const server = fc.integer({ min: 0, max: 1 });
const limit = fc.integer({ min: 1, max: 6 });
const nth = fc.nat(20);
const ACTS: fc.Arbitrary<Act>[] = [
  fc.record({ act: fc.constant('create'), server, chains: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ act: fc.constant('claim'), server, limit, queues: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ act: fc.constant('claim twice'), limit }),
  fc.record({ act: fc.constant('report'), server, count: limit, limit: fc.nat(4) }),
  fc.record({ act: fc.constant('forget all') }),
  fc.record({ act: fc.constant('forget one'), nth }),
  fc.record({ act: fc.constant('repeat'), nth }),
  fc.record({ act: fc.constant('mix up') }),
  fc.record({ act: fc.constant('take and die'), limit }),
  fc.record({ act: fc.constant('mend') }),
];

/** One story: what was claimed, and every message there ever was. */
function createStory(queues: string[]) {
  const held: Dispatch[] = [];
  const claims = new Map<string, number>();
  const runs: number[] = [];
  const messages: { queue: string; rank: number; id: number }[] = [];
  const engineOf = (n: number) => servers[n]!.engine;

  const got = (dispatches: Dispatch[]) => {
    for (const dispatch of dispatches) {
      const task = `${dispatch.run.runId} ${dispatch.taskId}`;
      claims.set(task, (claims.get(task) ?? 0) + 1);
      held.push(dispatch);
    }
  };
  const remember = async () => {
    for (const queue of queues) {
      const flat = await redis.client.zrange(`${prefix}ready:${queue}`, '0', '-1', 'WITHSCORES');
      for (let at = 0; at < flat.length; at += 2)
        messages.push({ queue, id: Number(flat[at]), rank: Number(flat[at + 1]) });
    }
  };
  const pick = (n: number) => (messages.length === 0 ? [] : [messages[n % messages.length]!]);

  const doing: { [A in Act['act']]: (act: Extract<Act, { act: A }>) => Promise<void> } = {
    async create({ server: n, chains }) {
      const tasks = Array.from({ length: chains }, (_, i) => [
        [`a${i}`, { queue: queues[i % queues.length]!, priority: 1 + (i % 2) }],
        [`b${i}`, { queue: queues[(i + n) % queues.length]!, upstream: [`a${i}`] }],
      ]).flat();
      const { dagId } = await engineOf(n).deploy(dagOf(`model_${++dags}`, Object.fromEntries(tasks)));
      const [run] = await engineOf(n).createRuns([{ dagId, kind: 'manual' }]);
      runs.push(run!.runId);
    },
    async claim({ server: n, limit: most, queues: served }) {
      got(await engineOf(n).claim({ workerId, queues: queues.slice(0, served), limit: most }));
    },
    async 'claim twice'({ limit: most }) {
      const both = await Promise.all([0, 1].map((n) => engineOf(n).claim({ workerId, queues, limit: most })));
      got(both.flat());
    },
    async report({ server: n, count, limit: most }) {
      const reports = held.splice(0, count).map((dispatch) => reportOf(dispatch));
      const claim = most > 0 && { claim: { queues, limit: most } };
      const { answers, dispatches } = await engineOf(n).report({ workerId, reports, ...claim });
      expect(answers.every((answer) => answer === 'ACCEPTED')).toBe(true);
      got(dispatches);
    },
    async 'forget all'() {
      await redis.client.flushall();
    },
    async 'forget one'({ nth: n }) {
      for (const { queue, id } of pick(n))
        await redis.client.zrem(`${prefix}ready:${queue}`, String(id).padStart(16, '0'));
    },
    async repeat({ nth: n }) {
      await sets.add([...pick(n), ...pick(n + 1)], false);
    },
    async 'mix up'() {
      await sets.add(
        messages.map((message, i) => ({ ...message, rank: message.rank + (i % 3) - 1 })),
        false,
      );
    },
    async 'take and die'({ limit: most }) {
      await sets.take(queues, most);
    },
    async mend() {
      await mendReadySets({ db: database.db, sets, signal: new AbortController().signal, thoroughly: true });
    },
  };
  return {
    async do(act: Act) {
      await (doing[act.act] as (act: Act) => Promise<void>)(act);
      await remember();
    },
    async end() {
      const settled = async () => {
        const states = await Promise.all(runs.map((runId) => statesOf(database, runId)));
        return states.flatMap((state) => Object.values(state)).every((state) => state === 'success');
      };
      for (let pass = 0; !(await settled()); pass++) {
        if (pass > 50)
          throw new Error(
            `Not all has run: ${JSON.stringify(await Promise.all(runs.map((id) => statesOf(database, id))))}`,
          );
        await this.do({ act: 'mend' });
        await this.do({ act: 'claim', server: pass % 2, limit: 100, queues: queues.length });
        await this.do({ act: 'report', server: pass % 2, count: 100, limit: 0 });
      }
      return { claims, runs };
    },
  };
}

it('each ready task is claimed exactly once, whatever is forgotten, repeated, mixed up or taken by who then dies', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...ACTS), { minLength: 5, maxLength: 30, size: 'max' }), async (acts) => {
      await redis.client.flushall();
      const name = `m${dags}`;
      const story = createStory([`${name}a`, `${name}b`, `${name}c`]);
      await story.do({ act: 'create', server: 0, chains: 3 });
      for (const act of acts) await story.do(act);
      const { claims } = await story.end();
      expect([...claims].filter(([, times]) => times !== 1)).toEqual([]);
    }),
    { numRuns: 60 },
  );
  await checkRuns(database, { finished: true });
});
