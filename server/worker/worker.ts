/** A worker: claims tasks up to its slots, has the supervisor run them, beats for them, reports how they ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunnerEvent, SupervisorClient } from '#server/runner/supervisor-client.ts';
import type { DrainMode, WorkerInfo, WorkerUsage } from '#db/queries/worker.ts';
import { createOutgoing, type SpoolOptions } from './outgoing.ts';
import { openSession, type Session } from './session.ts';
import { createSlotPool } from './slot-pool.ts';
import type { WorkerApi } from './worker-api.ts';

export interface WorkerDeps {
  api: WorkerApi;
  info: WorkerInfo;
  /** The first registration, before anything else is started; `api.register`, once, when not given. */
  register?(info: WorkerInfo): Promise<number>;
  /** Starts the supervisor; its events come to `onEvent`. */
  supervise(onEvent: (event: RunnerEvent) => void): SupervisorClient;
  /** Where it writes down what the service does not take; nowhere unless given. */
  spool?: SpoolOptions;
  /** What a beat tells of CPU and memory. */
  measure?(): Promise<WorkerUsage>;
  /** It was asked to drain, or no longer. */
  onDrain?(mode: DrainMode | null): void;
  /** It was asked to drain, and is free. */
  onDrained?(): void;
  onError(error: unknown): void;
}

export interface Worker {
  running(): number;
  /** Takes nothing more; resolves when what runs has ended and is reported. After `drainMs` it is interrupted. */
  stop(drainMs: number): Promise<void>;
  /** As `stop`, and what runs is interrupted now; resolves when that is told, at the latest after some seconds. */
  handBack(): Promise<void>;
}

const NOWHERE: SpoolOptions = { dir: null, limit: 0 };
/** That interrupted tasks have. */
const GRACE_MS = 5_000;
/** Once what runs has ended: to tell the service. What that does not take is written down. */
const FAREWELL_MS = 5_000;

export async function startWorker(deps: WorkerDeps): Promise<Worker> {
  const { api, info, register, supervise, onError } = deps;
  const workerId = await (register ?? api.register)(info);
  const running = new Set<string>();
  let finished = 0;
  let drain: DrainMode | null = null;
  const slots = createSlotPool({
    size: info.slots,
    onDispatch(dispatch) {
      running.add(dispatch.dispatchId);
      supervisor.start(dispatch);
      // Asked for before it was to hand everything back
      if (drain === 'hand_back') supervisor.handBack();
    },
    onIdle: () => drain !== null && deps.onDrained?.(),
  });
  const outgoing = createOutgoing({
    ...{ api, onError, slots, queues: info.queues, spool: deps.spool ?? NOWHERE },
    workerId: () => session.workerId(),
    accepting: () => slots.isOpen(),
    onFull: (full) => supervisor.setPaused(full),
    onAnswered(dispatchId) {
      running.delete(dispatchId);
      finished += 1;
    },
  });
  const supervisor = supervise((event) => {
    if (event.type === 'log') outgoing.log(event.chunk);
    else if (event.type === 'finished') outgoing.finish(event.report, event.files);
    else if (event.type === 'supervisor_lost')
      for (const dispatchId of event.dispatchIds) outgoing.lost(dispatchId, event.why);
  });
  const session: Session = openSession({
    ...{ api, info, workerId, slots, onError },
    running: () => [...running],
    measure: async () => ({ finished, usage: (await deps.measure?.()) ?? null }),
    onFenced: (dispatchId) => running.has(dispatchId) && supervisor.cancel(dispatchId, 'fenced'),
    onDrain(mode) {
      if (ending.isStopping()) return;
      drain = mode;
      deps.onDrain?.(mode);
      if (mode === null) return slots.open();
      slots.close();
      if (mode === 'hand_back') supervisor.handBack();
      if (slots.isIdle()) deps.onDrained?.();
    },
  });
  const ending = createEnding({ api, session, supervisor, outgoing, onError, closeSlots: () => slots.close() });
  return { running: () => running.size, stop: ending.stop, handBack: ending.handBack };
}

interface EndingDeps {
  api: WorkerApi;
  session: Session;
  supervisor: SupervisorClient;
  outgoing: ReturnType<typeof createOutgoing>;
  closeSlots(): void;
  onError(error: unknown): void;
}

/** How a worker stops. Never for ever: who asked it to may kill it next. */
function createEnding({ api, session, supervisor, outgoing, closeSlots, onError }: EndingDeps) {
  let stopping: Promise<void> | undefined;
  let left: Promise<void> | undefined;
  const leave = () => (left ??= outgoing.leave());

  const stop = async (drainMs: number) => {
    const until = performance.now() + drainMs;
    closeSlots();
    session.close();
    const retired = api.retire(session.workerId(), 'draining').catch(onError);
    await supervisor.drain(drainMs);
    await within(Math.max(FAREWELL_MS, until - performance.now()), outgoing.told());
    await supervisor.stop();
    await leave();
    await within(FAREWELL_MS, Promise.all([retired, session.end()]));
  };
  return {
    isStopping: () => stopping !== undefined,
    stop: (drainMs: number) => (stopping ??= stop(drainMs)),
    async handBack() {
      supervisor.handBack();
      await within(GRACE_MS + FAREWELL_MS, (stopping ??= stop(0)));
      await supervisor.stop();
      await leave();
    },
  };
}

const within = (ms: number, work: Promise<unknown>) => Promise.race([work, sleep(ms, undefined, { ref: false })]);
