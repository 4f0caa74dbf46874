/** What runs while the service is broken: every kind of work that is at hand, each of it a witness of its own starts and ends. */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { dag, each, eachOf, type TaskContext } from 'millrace';
import { z } from 'zod';

const params = z.object({ witness: z.string(), customer: z.number().int().default(0) });
/** Each loss of a worker costs a try; so many are never lost. */
const often = { retries: 12, retryDelay: '1s' } as const;

/** `fails`: on its first try. */
const shell = (ms: number, fails = false): string =>
  [
    'echo "$MILLRACE_DISPATCH_ID start $$" >> {{ params.witness }}',
    'echo first line',
    `sleep ${ms / 1000}`,
    ...(fails ? ['[ "$MILLRACE_TRY_NUMBER" -gt 1 ] || exit 3'] : []),
    'echo last line',
    'echo "$MILLRACE_DISPATCH_ID end $$" >> {{ params.witness }}',
  ].join('\n');

const python = (ms: number, result: string): string => `
import os, time
def tell(phase, witness):
    with open(witness, "a") as file:
        file.write(f"{os.environ['MILLRACE_DISPATCH_ID']} {phase} {os.getpid()}\\n")
def main(params, **inputs):
    tell("start", params["witness"])
    print("first line")
    time.sleep(${ms / 1000})
    print("last line")
    tell("end", params["witness"])
    return ${result}
`;

interface Work {
  params: { witness: string };
  ctx: TaskContext;
}

async function work<T>({ params, ctx }: Work, ms: number, result: T): Promise<T> {
  const tell = (phase: string) => appendFileSync(params.witness, `${ctx.ti.dispatchId} ${phase} ${process.pid}\n`);
  tell('start');
  ctx.log.info('first line');
  await sleep(ms, undefined, { signal: ctx.signal });
  ctx.log.info('last line');
  tell('end');
  return result;
}

export const chain = dag(
  'chaos_chain',
  { params, ...often, maxActiveRuns: 16 },
  ({ task, bash, python: py, empty }) => {
    const begin = empty('begin');
    const a = task('a', {}, { after: begin }, (args) => work(args, 60, 3));
    const b = py('b', { inputs: { a }, source: python(40, 'inputs["a"] + 1') });
    const c = bash('c', { inputs: { B: b }, command: shell(80, true) });
    const d = task('d', { b }, { after: c }, (args) => work(args, 30, args.b));
    const e = py('e', { after: d, source: python(20, '"e"') });
    const f = bash('f', { after: e, command: shell(150) });
    empty('end', { after: f });
  },
);

export const fan = dag(
  'chaos_fan',
  { params, ...often, maxActiveTasks: 8, maxActiveRuns: 10 },
  ({ task, bash, python: py }) => {
    const start = task('start', (args) => work(args, 20, 1));
    const parts = Array.from({ length: 12 }, (_, i) =>
      bash(`part_${i}`, {
        after: start,
        command: shell(50 + 25 * (i % 4), i % 5 === 0),
        pool: 'narrow',
        poolSlots: 1 + (i % 2),
        priority: i % 3,
      }),
    );
    py('join', { after: parts, source: python(20, '1') });
  },
);

export const mapped = dag('chaos_mapped', { params, ...often, maxActiveRuns: 12 }, ({ task, bash, group }) => {
  const list = task('list', (args) =>
    work(
      args,
      20,
      Array.from({ length: 8 }, (_, n) => ({ n })),
    ),
  );
  const one = task('one', eachOf(list), { maxActiveTisPerRun: 3 }, (args) => work(args, 40, args.n));
  task('sum', { one }, (args) =>
    work(
      args,
      10,
      args.one.reduce((sum, n) => sum + n, 0),
    ),
  );
  const pair = group('pair', { map: { side: each(['left', 'right']) } }, ({ bash, task }) => {
    const in_ = bash('in', { command: shell(60) });
    return task('out', {}, { after: in_ }, (args) => work(args, 30, args.side));
  });
  bash('after', { after: pair, command: shell(20) });
});

export const setup = dag(
  'chaos_setup',
  { params, ...often, maxActiveRuns: 12 },
  ({ task, bash, withSetup, branch, empty }) => {
    const make = bash('make', { command: shell(30) });
    const remove = bash('remove', { command: shell(30) });
    const done = withSetup(make, remove, () => {
      const x = bash('x', { command: shell(100, true) });
      const y = task('y', (args) => work(args, 60, 'y'));
      return bash('z', { after: [x, y], command: shell(40) });
    });
    const few = bash('few', { command: shell(30) });
    const many = bash('many', { command: shell(30) });
    branch('which', { after: done, choices: { few, many } }, async (args) => work(args, 20, 'few' as const));
    empty('joined', { after: [few, many], triggerRule: 'none_failed_min_one_success' });
  },
);

export const limits = dag(
  'chaos_limits',
  { params, ...often, maxActiveRuns: 8, maxActiveTasksPerDag: 9 },
  ({ bash, python: py }) => {
    const keyed = bash('keyed', {
      command: shell(60),
      concurrencyKey: { key: ['params.customer'], limit: 1 },
    });
    for (let i = 0; i < 5; i++)
      bash(`few_${i}`, { after: keyed, command: shell(40 + 20 * i), maxActiveTis: 3, pool: 'wide' });
    py('rated', { after: keyed, source: python(10, '0'), rateLimit: { limit: 30, per: '1s' } });
  },
);
