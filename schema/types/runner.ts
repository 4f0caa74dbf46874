/** What runners call. One operation carries a whole batch, and nothing here resolves per item: this is the hot path. */
import { appendLogChunks } from '#db/queries/log.ts';
import { beatWorker, type DrainMode, type WorkerUsage } from '#db/queries/worker.ts';
import type { Dispatch, ReportAnswer } from '#sdk/protocol.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { badInput } from '../errors.ts';
import { withToken } from '../runner-tokens.ts';
import { checkDispatches, readLogChunkInput, readReports } from '../runner-input.ts';
import { DrainModeEnum } from './worker.ts';
import { checkQueues, MOST_QUEUES, readWorkerId } from './worker-registration.ts';

const MOST_CLAIMED = 1_000;
const MOST_HELD = 20_000;

const ReportAnswerEnum = builder.enumType('ReportAnswer', {
  description: 'What became of a report.',
  values: {
    ACCEPTED: { description: 'Recorded.' },
    DUPLICATE: { description: 'This dispatch had been finished before.' },
    FENCED: { description: 'No longer the current dispatch: kill the child and forget it.' },
    UNKNOWN: { description: 'The database has never heard of it.' },
  } as const,
});

const TOKENS =
  'With a token for each dispatch, for runners that speak for themselves: the worker’s own key does not leave it.';

const ClaimInput = builder.inputType('ClaimInput', {
  description: 'How much a worker would take.',
  fields: (t) => ({
    queues: t.stringList({ required: true, description: 'Of these queues; at most 100.' }),
    limit: t.int({ required: true, description: 'At most so many; 1 to 1000.' }),
    tokens: t.boolean({ defaultValue: false, required: true, description: TOKENS }),
  }),
});

const ClaimTasksInput = builder.inputType('ClaimTasksInput', {
  description: 'A worker with free slots.',
  fields: (t) => ({
    workerId: t.id({ required: true, description: 'From registerWorker.' }),
    queues: t.stringList({ required: true, description: 'Of these queues; at most 100.' }),
    limit: t.int({ required: true, description: 'At most so many; 1 to 1000.' }),
    tokens: t.boolean({ defaultValue: false, required: true, description: TOKENS }),
  }),
});
const ClaimedTasks = builder.objectRef<{ dispatches: Dispatch[] }>('ClaimedTasks').implement({
  description: 'Tasks handed to a worker.',
  authScopes: { work: true },
  fields: (t) => ({
    dispatches: t.field({
      type: ['JSON'],
      description: 'Each a Dispatch of the runner protocol; they run from now on.',
      resolve: (claimed) => claimed.dispatches,
    }),
  }),
});

const ReportTasksInput = builder.inputType('ReportTasksInput', {
  description: 'Dispatches that ended.',
  fields: (t) => ({
    workerId: t.id({ description: 'From registerWorker; absent when a runner speaks for itself.' }),
    reports: t.field({
      type: ['JSON'],
      required: true,
      description: 'Each a TaskReport of the runner protocol; at most 1000.',
    }),
    claim: t.field({ type: ClaimInput, description: 'What the worker would take next, in the same step.' }),
  }),
});
const ReportedTasks = builder
  .objectRef<{ answers: ReportAnswer[]; dispatches: Dispatch[] }>('ReportedTasks')
  .implement({
    description: 'What became of reports, and what to run next.',
    authScopes: { run: true },
    fields: (t) => ({
      answers: t.field({
        type: [ReportAnswerEnum],
        description: 'One per report, in their order.',
        resolve: (result) => result.answers,
      }),
      dispatches: t.field({ type: ['JSON'], description: 'As of claimTasks.', resolve: (result) => result.dispatches }),
    }),
  });

const WorkerUsageInput = builder.inputType('WorkerUsageInput', {
  description: 'What a worker has measured: see WorkerUsage.',
  fields: (t) => ({
    cpus: t.float({ required: true, description: 'CPUs there.' }),
    cpuUsed: t.float({ description: 'CPUs in use there.' }),
    load: t.float({ required: true, description: 'Load of the machine over the last minute.' }),
    memoryLimit: t.float({ required: true, description: 'Bytes of memory there.' }),
    memoryUsed: t.float({ required: true, description: 'Bytes in use there.' }),
    ownCpu: t.float({ description: 'CPUs in use by the worker and its tasks.' }),
    ownMemory: t.float({ required: true, description: 'Bytes in use by the worker and its tasks.' }),
  }),
});
const HeartbeatInput = builder.inputType('HeartbeatInput', {
  description: 'All that a worker or runner has in hand.',
  fields: (t) => ({
    workerId: t.id({ description: 'From registerWorker; absent when a runner speaks for itself.' }),
    dispatchIds: t.idList({ required: true, description: 'Dispatches that run; at most 20000.' }),
    usage: t.field({ type: WorkerUsageInput, description: 'CPU and memory of the worker; kept until it says others.' }),
    finished: t.int({ description: 'Task instances that it has brought to an end since its process started.' }),
    sentAt: t.field({ type: 'DateTime', description: 'Now, by its own clock: how wrong that is can be seen.' }),
  }),
});
interface HeartbeatResult {
  fenced: string[];
  registered: boolean;
  drain: DrainMode | null;
}
const HeartbeatAnswer = builder.objectRef<HeartbeatResult>('HeartbeatAnswer').implement({
  description: 'What must go.',
  authScopes: { run: true },
  fields: (t) => ({
    fenced: t.idList({ description: 'No longer current: kill them.', resolve: ({ fenced }) => fenced }),
    registered: t.exposeBoolean('registered', {
      description: 'False: the worker’s registration has lapsed; register again.',
    }),
    drain: t.expose('drain', {
      type: DrainModeEnum,
      nullable: true,
      description: 'Take nothing new and come to an end this way; null: go on, also when it said otherwise before.',
    }),
  }),
});

const AppendTaskLogsInput = builder.inputType('AppendTaskLogsInput', {
  description: 'Pieces of log.',
  fields: (t) => ({
    chunks: t.field({
      type: ['JSON'],
      required: true,
      description: 'Each a LogChunk of the runner protocol; at most 1000.',
    }),
  }),
});
const AppendedLogs = builder.objectRef<{ accepted: number }>('AppendedLogs').implement({
  description: 'What became of pieces of log.',
  authScopes: { run: true },
  fields: (t) => ({
    accepted: t.exposeInt('accepted', {
      description: 'Stored, now or by an earlier call; the others belong to no known dispatch.',
    }),
  }),
});

function checkClaim({ queues, limit }: { queues: readonly string[]; limit: number }): void {
  if (queues.length > MOST_QUEUES) throw badInput(`queues: at most ${MOST_QUEUES}, not ${queues.length}.`);
  checkQueues(queues);
  if (limit < 1 || limit > MOST_CLAIMED) throw badInput(`limit: from 1 to ${MOST_CLAIMED}, not ${limit}.`);
}

/** Only a worker has slots: a runner has come for its one dispatch. */
function readWorker(ctx: Context, id: string | null | undefined): number | null {
  if (id == null) return null;
  if (ctx.viewer?.role !== 'worker')
    throw badInput('workerId: a runner’s token speaks for its dispatch alone; leave it out.');
  return readWorkerId(id);
}

const withTokens = (ctx: Context, dispatches: Dispatch[]): Dispatch[] =>
  dispatches.map((dispatch) => withToken(ctx, dispatch));

async function report(ctx: Context, input: typeof ReportTasksInput.$inferInput) {
  const reports = readReports(input.reports);
  checkDispatches(
    ctx.viewer,
    reports.map((entry) => entry.dispatchId),
  );
  const workerId = readWorker(ctx, input.workerId);
  if (input.claim && workerId === null) throw badInput('claim: only with a workerId.');
  if (input.claim) checkClaim(input.claim);
  const result = await ctx.engine.report({ workerId, reports, ...(input.claim ? { claim: input.claim } : {}) });
  return {
    answers: result.answers,
    dispatches: input.claim?.tokens ? withTokens(ctx, result.dispatches) : result.dispatches,
  };
}

const readUsage = ({ cpuUsed, ownCpu, ...usage }: typeof WorkerUsageInput.$inferInput): WorkerUsage => ({
  ...usage,
  cpuUsed: cpuUsed ?? null,
  ownCpu: ownCpu ?? null,
});

async function heartbeat(ctx: Context, input: typeof HeartbeatInput.$inferInput): Promise<HeartbeatResult> {
  const { dispatchIds } = input;
  if (dispatchIds.length > MOST_HELD) throw badInput(`dispatchIds: at most ${MOST_HELD}, not ${dispatchIds.length}.`);
  checkDispatches(ctx.viewer, dispatchIds);
  const workerId = readWorker(ctx, input.workerId);
  // The leases first: a worker that has beaten since has named all that it has
  const { fenced } = await ctx.engine.heartbeat({ workerId, dispatchIds });
  if (workerId === null) return { fenced, registered: true, drain: null };
  const { finished, sentAt, usage } = input;
  const beat = await beatWorker(ctx.db, workerId, {
    finished: finished ?? null,
    sentAt: sentAt ?? null,
    usage: usage ? readUsage(usage) : null,
  });
  return { fenced, registered: beat !== undefined, drain: beat?.drain ?? null };
}

builder.mutationFields((t) => ({
  claimTasks: t.field({
    type: ClaimedTasks,
    authScopes: { work: true },
    description: 'Takes tasks that may start now.',
    args: { input: t.arg({ type: ClaimTasksInput, required: true }) },
    resolve: async (_root, { input: { workerId, queues, limit, tokens } }, ctx) => {
      checkClaim({ queues, limit });
      const dispatches = await ctx.engine.claim({ workerId: readWorkerId(workerId), queues, limit });
      return { dispatches: tokens ? withTokens(ctx, dispatches) : dispatches };
    },
  }),
  reportTasks: t.field({
    type: ReportedTasks,
    authScopes: { run: true },
    description: 'Says how dispatches ended, and takes the next ones in the same step.',
    args: { input: t.arg({ type: ReportTasksInput, required: true }) },
    resolve: (_root, { input }, ctx) => report(ctx, input),
  }),
  heartbeat: t.field({
    type: HeartbeatAnswer,
    authScopes: { run: true },
    description: 'Renews the leases of dispatches, and says which have lost theirs.',
    args: { input: t.arg({ type: HeartbeatInput, required: true }) },
    resolve: (_root, { input }, ctx) => heartbeat(ctx, input),
  }),
  appendTaskLogs: t.field({
    type: AppendedLogs,
    authScopes: { run: true },
    description: 'Stores pieces of log. Sending one again does no harm.',
    args: { input: t.arg({ type: AppendTaskLogsInput, required: true }) },
    resolve: async (_root, { input }, ctx) => {
      const chunks = readLogChunkInput(input.chunks);
      checkDispatches(
        ctx.viewer,
        chunks.map((chunk) => chunk.dispatchId),
      );
      return { accepted: await appendLogChunks(ctx.pool, chunks) };
    },
  }),
}));
