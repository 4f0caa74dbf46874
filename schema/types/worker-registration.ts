/** How a worker comes, is woken, and goes. */
import { setWorkerState } from '#db/queries/worker.ts';
import { findWorkers } from '#db/queries/workers.ts';
import { labelProblem } from '#sdk/worker-labels.ts';
import { isReservedQueue } from '#sdk/system-tasks.ts';
import { builder } from '../builder.ts';
import { badInput, notFound } from '../errors.ts';
import type { WorkSignal } from '../event-streams.ts';
import { parseNumericId } from '../global-id.ts';

export const MOST_QUEUES = 100;
const MOST_SLOTS = 10_000;

const WorkerLabelInput = builder.inputType('WorkerLabelInput', {
  description: 'What is said of a worker.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Such as `zone`.' }),
    value: t.string({ required: true, description: 'Such as `a`.' }),
  }),
});
const RegisterWorkerInput = builder.inputType('RegisterWorkerInput', {
  description: 'A worker that starts.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'Stable over its restarts; a second one of the name replaces the first.',
    }),
    queues: t.stringList({ required: true, description: 'The queues it serves.' }),
    slots: t.int({ required: true, description: 'Tasks it runs at once.' }),
    version: t.string({ required: true, description: 'The Millrace version it runs.' }),
    hostname: t.string({ description: 'Where it runs.' }),
    pid: t.int({ description: 'Its process id there.' }),
    labels: t.field({ type: [WorkerLabelInput], description: 'For people and their tools; at most 50.' }),
  }),
});
const RegisteredWorker = builder.objectRef<{ workerId: number }>('RegisteredWorker').implement({
  description: 'A worker’s registration.',
  authScopes: { work: true },
  fields: (t) => ({
    workerId: t.id({ description: 'To be sent with every call.', resolve: ({ workerId }) => workerId }),
  }),
});

const RetireStateEnum = builder.enumType('RetireState', {
  description: 'How a worker goes.',
  values: {
    DRAINING: { value: 'draining', description: 'It takes nothing new and finishes what it has.' },
    OFFLINE: { value: 'offline', description: 'It has finished.' },
  } as const,
});
const RetireWorkerInput = builder.inputType('RetireWorkerInput', {
  description: 'A worker that stops.',
  fields: (t) => ({
    workerId: t.id({ required: true, description: 'From registerWorker.' }),
    state: t.field({ type: RetireStateEnum, required: true, description: 'DRAINING, then OFFLINE.' }),
  }),
});

/** Tasks of the system are for the triggerer: a worker would not know what to do with them. */
export function checkQueues(queues: readonly string[]): void {
  const system = queues.find(isReservedQueue);
  if (system !== undefined) throw badInput(`queues: '${system}' is served by the service itself.`);
}

function checkRegistration({ queues, slots }: { queues: readonly string[]; slots: number }): void {
  if (queues.length === 0 || queues.length > MOST_QUEUES) throw badInput(`queues: from 1 to ${MOST_QUEUES}.`);
  checkQueues(queues);
  if (slots < 1 || slots > MOST_SLOTS) throw badInput(`slots: from 1 to ${MOST_SLOTS}, not ${slots}.`);
}

function readLabels(list: readonly { name: string; value: string }[]): { [name: string]: string } {
  const labels = Object.fromEntries(list.map(({ name, value }) => [name, value]));
  const problem = labelProblem(labels);
  if (problem !== null) throw badInput(`labels: ${problem}`);
  return labels;
}

export function readWorkerId(id: string): number {
  const workerId = parseNumericId('Worker', id);
  if (workerId === undefined) throw badInput(`workerId: "${id}" is not what registerWorker gave.`);
  return workerId;
}

builder.mutationFields((t) => ({
  registerWorker: t.field({
    type: RegisteredWorker,
    authScopes: { work: true },
    description: 'Makes a worker known.',
    args: { input: t.arg({ type: RegisterWorkerInput, required: true }) },
    resolve: async (_root, { input }, ctx) => {
      checkRegistration(input);
      const labels = readLabels(input.labels ?? []);
      const info = { ...input, labels, hostname: input.hostname ?? null, pid: input.pid ?? null };
      return { workerId: await ctx.engine.registerWorker(info) };
    },
  }),
  retireWorker: t.field({
    type: RegisteredWorker,
    authScopes: { work: true },
    description: 'Says that a worker takes nothing more, or has gone.',
    args: { input: t.arg({ type: RetireWorkerInput, required: true }) },
    resolve: async (_root, { input }, ctx) => {
      const workerId = readWorkerId(input.workerId);
      await setWorkerState(ctx.db, workerId, input.state);
      return { workerId };
    },
  }),
}));

const WorkSignalType = builder.objectRef<WorkSignal>('WorkSignal').implement({
  description: 'A wake-up. Several may have become one.',
  authScopes: { work: true },
  fields: (t) => ({
    queues: t.exposeStringList('queues', { description: 'Tasks are ready in these queues: claim.' }),
    fenced: t.exposeBoolean('fenced', {
      description: 'Send a heartbeat now: some dispatch may no longer be current, or the worker is to drain.',
    }),
  }),
});

builder.subscriptionField('workAvailable', (t) =>
  t.field({
    type: WorkSignalType,
    authScopes: { work: true },
    description: 'Wakes a worker when there may be something to claim or to kill. The first message comes at once.',
    args: { workerId: t.arg.id({ required: true, description: 'From registerWorker.' }) },
    subscribe: async (_root, { workerId }, ctx) => {
      const [worker] = await findWorkers(ctx.db, [readWorkerId(workerId)]);
      if (!worker) throw notFound(`worker "${workerId}"`);
      return ctx.events.workAvailable({ id: worker.id, queues: worker.queues });
    },
    resolve: (signal) => signal,
  }),
);
