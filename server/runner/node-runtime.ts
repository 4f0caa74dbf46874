import { createNodeChild, type NodeChild, type NodeProgram } from './node-child-process.ts';
import { signalGroup } from './process-group.ts';
import type { Runtime, RuntimeDeps } from './runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** Children that have the same bundle loaded and the same limit of memory. */
interface Bundle {
  dir: string;
  memoryLimit: number | null;
  waiting: Waiting[];
  children: Child[];
  /** Average milliseconds of a task, by DAG and task. */
  durations: Map<string, number>;
}
interface Waiting {
  task: SupervisedTask;
  since: number;
}
interface Child {
  process: NodeChild;
  state: 'starting' | 'ready' | 'retired';
  idleSince: number;
  tasksDone: number;
  /** The first of its tasks has been first since then. */
  busySince: number;
  asked: boolean;
}

/** A task that takes no longer may be sent before the one in front of it has ended: the queue is the child's own. */
const SHORT_MS = 5;
const QUEUE_DEPTH = 64;
/** What waits longer gets another child. */
const PATIENCE_MS = 20;
const STARTING_AT_ONCE = 2;
const IDLE_MS = 5 * 60_000;
/** A child that dies before it begins what it is given. */
const MAX_RESTARTS = 5;

/** Functions of a bundle. */
const TYPESCRIPT: NodeProgram = {
  entry: 'node-child',
  bundleOf: (task) => task.bundleDir,
  workOf: ({ dispatch }) => ({ dispatch }),
};

/** Runs tasks in warm Node processes, one task at a time in each. */
export function createNodeRuntime({ config, memory }: RuntimeDeps, program = TYPESCRIPT): Runtime<'node'> {
  const bundles = new Map<string, Bundle>();
  const restarts = new WeakMap<SupervisedTask, number>();
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let paused = false;

  const children = () => [...bundles.values()].flatMap((bundle) => bundle.children);

  const assign = (bundle: Bundle) => {
    for (let next = bundle.waiting[0]; next; next = bundle.waiting[0]) {
      const child = pickChild(bundle, next.task);
      if (!child) break;
      bundle.waiting.shift();
      if (child.process.tasks.length === 0) child.busySince = performance.now();
      child.process.push(next.task);
    }
    if (bundle.waiting.length > 0 && bundle.children.length === 0) grow(bundle);
    watchQueues();
  };
  const watchQueues = () => {
    const waits = (bundle: Bundle) =>
      bundle.waiting.length > 0 || bundle.children.some((child) => child.process.tasks.length > 1);
    if (timer || stopped || ![...bundles.values()].some(waits)) return;
    timer = setTimeout(() => {
      timer = null;
      lookAtQueues();
      watchQueues();
    }, PATIENCE_MS);
  };

  /** Gives those that wait another child, and takes back those that are stuck behind a long task. */
  const lookAtQueues = () => {
    const now = performance.now();
    for (const bundle of bundles.values()) {
      if ((bundle.waiting[0]?.since ?? now) <= now - PATIENCE_MS) grow(bundle);
      for (const child of bundle.children) {
        const [, ...queued] = child.process.tasks;
        if (queued.length === 0 || child.asked || now - child.busySince <= PATIENCE_MS) continue;
        child.asked = true;
        child.process.takeBack(queued);
      }
    }
  };
  const idleTimer = setInterval(() => {
    const longAgo = performance.now() - IDLE_MS;
    for (const [key, bundle] of bundles) {
      for (const child of bundle.children)
        if (child.state === 'ready' && child.process.tasks.length === 0 && child.idleSince < longAgo) retire(child);
      if (bundle.children.length === 0 && bundle.waiting.length === 0) bundles.delete(key);
    }
  }, IDLE_MS / 10);

  const grow = (bundle: Bundle) => {
    const starting = bundle.children.filter((child) => child.state === 'starting').length;
    const wanted = Math.min(STARTING_AT_ONCE, bundle.waiting.length) - starting;
    for (let n = 0; n < wanted; n += 1) {
      if (children().length >= config.maxNodeChildren && !makeRoom()) return;
      bundle.children.push(addChild(bundle));
    }
  };
  const makeRoom = (): boolean => {
    const idle = children().filter((child) => child.state === 'ready' && child.process.tasks.length === 0);
    const oldest = idle.sort((a, b) => a.idleSince - b.idleSince)[0];
    if (oldest) retire(oldest);
    return oldest !== undefined;
  };
  const retire = (child: Child) => {
    child.state = 'retired';
    if (child.process.tasks.length === 0) child.process.kill();
  };

  const addChild = (bundle: Bundle): Child => {
    const process = createNodeChild(bundle.dir, bundle.memoryLimit, config, program, {
      ready() {
        child.state = 'ready';
        child.idleSince = performance.now();
        assign(bundle);
      },
      loadFailed(message, stack) {
        for (const { task } of bundle.waiting.splice(0)) {
          if (stack) task.log.write('e', `${stack}\n`);
          task.end({
            how: 'not_started',
            cause: 'exception',
            message: `The bundle could not be loaded: ${message}`,
            retryable: true,
          });
        }
      },
      ended: (task, ms) => onEnded(bundle, child, task, ms),
      returned(tasks) {
        child.asked = false;
        putBack(bundle, tasks);
      },
      gone: (notBegun, why) => onGone(bundle, child, notBegun, why),
    });
    const child: Child = { process, state: 'starting', idleSince: 0, tasksDone: 0, busySince: 0, asked: false };
    if (paused) process.setPaused(true);
    const { pid } = process;
    if (pid !== undefined) memory.add(pid, ({ rss, processes }) => onMemory(bundle, child, rss, processes));
    return child;
  };

  const onMemory = (bundle: Bundle, child: Child, rss: number, processes: number) => {
    const [first] = child.process.tasks;
    if (first?.begun) first.sampleMemory(rss);
    const tooLarge = rss > Math.min(config.childMemory, (bundle.memoryLimit ?? Infinity) * 0.7);
    if (child.state !== 'ready') return;
    // A task left a program running: it must not outlive its task.
    if (tooLarge || (!first && processes > 1)) retire(child);
  };

  const onEnded = (bundle: Bundle, child: Child, task: SupervisedTask, ms: number) => {
    const key = keyOf(task);
    bundle.durations.set(key, (bundle.durations.get(key) ?? ms) * 0.8 + ms * 0.2);
    child.tasksDone += 1;
    child.busySince = child.idleSince = performance.now();
    if (task.stopReason || child.tasksDone >= config.childTasks) retire(child);
    if (child.state === 'retired' && child.process.tasks.length === 0) child.process.kill();
    assign(bundle);
  };

  const onGone = (bundle: Bundle, child: Child, notBegun: SupervisedTask[], why: string) => {
    if (child.process.pid !== undefined) memory.remove(child.process.pid);
    bundle.children = bundle.children.filter((other) => other !== child);
    const victim = child.state === 'starting' ? bundle.waiting.shift()?.task : undefined;
    victim?.end({ how: 'not_started', cause: 'start_failed', message: why, retryable: true });
    for (const task of notBegun) restarts.set(task, (restarts.get(task) ?? 0) + 1);
    const hopeless = notBegun.filter((task) => (restarts.get(task) ?? 0) > MAX_RESTARTS);
    for (const task of hopeless) task.end({ how: 'not_started', cause: 'start_failed', message: why, retryable: true });
    putBack(
      bundle,
      notBegun.filter((task) => !hopeless.includes(task)),
    );
  };

  const putBack = (bundle: Bundle, tasks: SupervisedTask[]) => {
    const since = performance.now();
    for (const task of tasks) if (task.stopReason || stopped) task.end({ how: 'withdrawn' });
    bundle.waiting.unshift(...tasks.filter((task) => !task.stopReason && !stopped).map((task) => ({ task, since })));
    assign(bundle);
  };

  const controlOf = (bundle: Bundle, task: SupervisedTask) => ({
    signal(name: 'SIGTERM' | 'SIGKILL') {
      const at = bundle.waiting.findIndex((waiting) => waiting.task === task);
      const child = bundle.children.find((candidate) => candidate.process.tasks.includes(task));
      if (at >= 0) {
        bundle.waiting.splice(at, 1);
        task.end({ how: 'withdrawn' });
      } else if (child && !task.begun) child.process.takeBack([task]);
      else if (child?.process.pid !== undefined) signalGroup(child.process.pid, name);
    },
  });

  return {
    start(task) {
      const dir = program.bundleOf(task);
      if (dir === null) return task.end(noBundle());
      const bundle = bundleOf(bundles, dir, task.memoryLimit);
      task.control = controlOf(bundle, task);
      bundle.waiting.push({ task, since: performance.now() });
      assign(bundle);
    },
    setPaused(value) {
      paused = value;
      for (const child of children()) child.process.setPaused(value);
    },
    stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      clearInterval(idleTimer);
      for (const child of children()) child.process.kill();
    },
  };
}

const keyOf = ({ dispatch }: SupervisedTask) => `${dispatch.dagId}/${dispatch.taskId}`;

function bundleOf(bundles: Map<string, Bundle>, dir: string, memoryLimit: number | null): Bundle {
  const key = `${dir} ${memoryLimit}`;
  const known = bundles.get(key);
  if (known) return known;
  const bundle: Bundle = { dir, memoryLimit, waiting: [], children: [], durations: new Map() };
  bundles.set(key, bundle);
  return bundle;
}

/** An idle child; or, for short tasks, the one with the shortest queue of short tasks. */
function pickChild(bundle: Bundle, task: SupervisedTask): Child | null {
  const isShort = (candidate: SupervisedTask) => (bundle.durations.get(keyOf(candidate)) ?? Infinity) < SHORT_MS;
  const short = isShort(task);
  let best: Child | null = null;
  for (const child of bundle.children) {
    const { tasks } = child.process;
    if (child.state !== 'ready' || tasks.length >= (best?.process.tasks.length ?? QUEUE_DEPTH)) continue;
    const last = tasks.at(-1);
    if (!last || (short && !child.asked && isShort(last))) best = child;
  }
  return best;
}

const noBundle = () => ({
  how: 'not_started' as const,
  cause: 'bundle_unavailable' as const,
  message:
    'The version of the DAG has no bundle, so there is no function to run. Deploy it again with "millrace deploy".',
  retryable: false,
});
