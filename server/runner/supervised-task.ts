import { rmSync } from 'node:fs';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import { renderMapName } from '../operators/prepare-launch.ts';
import { withDecision } from './decide-flow.ts';
import type { ResultFile } from './large-results.ts';
import type { FromSupervisor, StopReason, SupervisorConfig } from './messages.ts';
import { createMask, maskJson, type Mask } from './mask.ts';
import { createRenderedFields } from './rendered-fields.ts';
import { createTaskLog, type TaskLog } from './task-log.ts';
import { decideReport, type Ending, type Verdict } from './task-report.ts';

/** How a runtime stops a task. One that has not begun is taken back and ended as withdrawn. */
export interface TaskControl {
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
}

/** One dispatch in the supervisor, whatever runs it. */
export interface SupervisedTask {
  readonly dispatch: Dispatch;
  readonly bundleDir: string | null;
  readonly log: TaskLog;
  /** A templated field came to this text. */
  rendered(field: string, text: string): void;
  /** Bytes; null: no limit. */
  readonly memoryLimit: number | null;
  /** Set by the runtime that takes the task. */
  control: TaskControl | null;
  readonly stopReason: StopReason | null;
  readonly begun: boolean;
  /** Its code is about to run: from here a repetition costs a try. */
  began(pid: number | null): void;
  stop(reason: StopReason): void;
  /** The highest memory seen of its processes. */
  sampleMemory(bytes: number): void;
  end(ending: Ending): void;
}

export interface TaskOwner {
  config: SupervisorConfig;
  send(message: FromSupervisor): void;
  /** Kills those processes of a stopped task that have left its group. */
  sweep(dispatchId: string): void;
  ended(task: SupervisedTask): void;
}

/** Characters of an instance's name. */
const MOST_NAME = 250;
/** Longest delay of a timer in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const STOP_LINES: { [Reason in StopReason]: string | null } = {
  cancelled: 'Cancelled: the task is being stopped.',
  fenced: 'Another launch of this task has taken its place: it is being stopped.',
  timeout: 'The time limit is reached: the task is being stopped.',
  interrupted: 'The worker is shutting down: the task is being stopped.',
  output_limit: null,
  oom_killed: 'The memory limit is reached: the task is being killed.',
};
/** No time to clean up: it would use it to take more memory, or its outcome is of no interest. */
const AT_ONCE: ReadonlySet<StopReason> = new Set(['oom_killed', 'fenced']);

export function createSupervisedTask(dispatch: Dispatch, bundleDir: string | null, owner: TaskOwner): SupervisedTask {
  const { config, send } = owner;
  const { dispatchId, task: spec } = dispatch;
  const memoryLimit = lowest(spec.memoryLimit, config.maxTaskMemory);
  let stopReason: StopReason | null = null;
  let begun = false;
  let over = false;
  let peak = 0;
  let timeout: NodeJS.Timeout | null = null;
  let grace: NodeJS.Timeout | null = null;

  const mask = createMask(dispatch.secrets);
  const rendered = createRenderedFields(mask);

  const kill = () => task.control?.signal('SIGKILL');
  const task: SupervisedTask = {
    dispatch,
    bundleDir,
    memoryLimit,
    control: null,
    rendered: rendered.add,
    log: createTaskLog({
      dispatchId,
      mask,
      limit: config.outputLimit,
      emit: (chunk) => send({ type: 'log', chunk }),
      onLimit: () => task.stop('output_limit'),
    }),
    get stopReason() {
      return stopReason;
    },
    get begun() {
      return begun;
    },
    began(pid) {
      begun = true;
      send({ type: 'started', dispatchId, pid });
      if (spec.executionTimeout !== null)
        timeout = setTimeout(() => task.stop('timeout'), Math.min(spec.executionTimeout * 1000, MAX_TIMER_MS));
    },
    stop(reason) {
      if (over || stopReason) return;
      stopReason = reason;
      const line = STOP_LINES[reason];
      if (line && begun) task.log.system(line);
      if (AT_ONCE.has(reason)) return kill();
      task.control?.signal('SIGTERM');
      if (!over) grace = setTimeout(kill, config.graceMs);
    },
    sampleMemory(bytes) {
      peak = Math.max(peak, bytes);
      if (memoryLimit !== null && bytes > memoryLimit) task.stop('oom_killed');
    },
    end(ending) {
      if (over) return;
      over = true;
      if (timeout) clearTimeout(timeout);
      if (grace) clearTimeout(grace);
      if (begun && stopReason) owner.sweep(dispatchId);
      if (ending.how === 'exited' && peak > 0) ending.peakMemory = Math.max(peak, ending.peakMemory ?? 0);
      const verdict = withoutSecrets(
        mask,
        withDecision(
          decideReport({
            dispatchId,
            // Before anything of it is cut: half of a secret is found no more
            ending: maskEnding(mask, ending),
            stopReason,
            memoryLimit,
            executionTimeout: spec.executionTimeout,
            outputLimit: config.outputLimit,
            resultLimit: config.resultLimit,
          }),
          dispatch,
          mask,
          ending.how === 'exited' ? ending.result?.files : undefined,
        ),
      );
      const name = dispatch.mapName === null ? null : nameOf(dispatch, task.log);
      if (name !== null) verdict.mapName = mask(name).slice(0, MOST_NAME);
      const fields = rendered.all();
      if (fields) verdict.rendered = fields;
      const explained = stopReason !== null || (ending.how === 'exited' && !!ending.result?.stack);
      if (verdict.outcome === 'failed' && verdict.message && !explained) task.log.system(verdict.message);
      const report = { dispatchId, ...verdict, logBytes: task.log.end() };
      send({ type: 'finished', report, ...filesOf(ending, verdict) });
      owner.ended(task);
    },
  };
  return task;
}

/** Large results of a success; those of anything else are of no interest. */
function filesOf(ending: Ending, { outcome }: Verdict): { files?: { [key: string]: ResultFile } } {
  const files = ending.how === 'exited' ? ending.result?.files : undefined;
  if (!files) return {};
  if (outcome === 'success') return { files };
  for (const { path } of Object.values(files)) rmSync(path, { force: true });
  return {};
}

function maskEnding(mask: Mask, ending: Ending): Ending {
  if (ending.how === 'withdrawn') return ending;
  if (ending.how !== 'exited') return { ...ending, message: mask(ending.message) };
  const { result } = ending;
  if (!result) return ending;
  const { message, name, exceptions, stack } = result;
  return {
    ...ending,
    result: {
      ...result,
      ...(message !== undefined && { message: mask(message) }),
      ...(name !== undefined && { name: mask(name) }),
      ...(exceptions && { exceptions: exceptions.map(mask) }),
      ...(stack != null && { stack: mask(stack) }),
    },
  };
}

/** What the task returned stays as it is: that is data, by the will of its author. */
function withoutSecrets(mask: Mask, verdict: Verdict): Verdict {
  const { message, evidence } = verdict;
  return {
    ...verdict,
    ...(message != null && { message: mask(message) }),
    ...(evidence != null && { evidence: maskJson(mask, evidence) as { [key: string]: Json } }),
  };
}

/** The name of a mapped instance. One that cannot be rendered is told in the log: the work is done all the same. */
function nameOf(dispatch: Dispatch, log: TaskLog): string | null {
  try {
    return renderMapName(dispatch);
  } catch (error) {
    log.system(`The instance has no name. ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

function lowest(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}
