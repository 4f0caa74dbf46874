import { spawn } from 'node:child_process';
import { mkdtempSync, rm } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { entryPoint, type EntryPoint } from '../entry-points.ts';
import { createFrameWriter, readFrames } from './framing.ts';
import type { FromNodeChild, NodeWork, SupervisorConfig, ToNodeChild } from './messages.ts';
import { roomOf } from './large-results.ts';
import { letGoWhenQuiet } from './let-go.ts';
import { markOomKills } from './oom-kills.ts';
import { preferForOomKill, signalGroup } from './process-group.ts';
import type { SupervisedTask } from './supervised-task.ts';
import type { Ending } from './task-report.ts';

export interface NodeChildEvents {
  ready(): void;
  loadFailed(message: string, stack: string | null): void;
  /** A task was ended. */
  ended(task: SupervisedTask, ms: number): void;
  returned(tasks: SupervisedTask[]): void;
  /** The process is gone; the tasks that had not begun are given back. */
  gone(notBegun: SupervisedTask[], why: string): void;
}

/** What runs in a node child. */
export interface NodeProgram {
  entry: EntryPoint;
  /** What the child has loaded, and its other tasks share; null: the task has no code. */
  bundleOf(task: SupervisedTask): string | null;
  workOf(task: SupervisedTask): NodeWork;
}

/** A warm Node process and the tasks that are in it: the first may be running, the others wait in its queue. */
export interface NodeChild {
  readonly pid: number | undefined;
  readonly tasks: readonly SupervisedTask[];
  push(task: SupervisedTask): void;
  /** Asks for those that have not begun. */
  takeBack(tasks: readonly SupervisedTask[]): void;
  setPaused(paused: boolean): void;
  kill(): void;
}

const STDERR_KEPT = 2_000;
const MIB = 1024 * 1024;
/** Of the memory limit, for the heap: the rest is Node itself and buffers. */
const HEAP_SHARE = 0.8;

export function createNodeChild(
  bundleDir: string,
  memoryLimit: number | null,
  config: SupervisorConfig,
  program: NodeProgram,
  events: NodeChildEvents,
): NodeChild {
  const { command, args } = entryPoint(program.entry);
  const heap =
    memoryLimit === null ? [] : [`--max-old-space-size=${Math.max(32, Math.floor((memoryLimit * HEAP_SHARE) / MIB))}`];
  const env = { ...config.environment, MILLRACE_BUNDLE_DIR: bundleDir };
  const cwd = mkdtempSync(join(config.workDir, 'node-'));
  const child = spawn(command, [...heap, ...args], {
    cwd,
    env,
    detached: true,
    // One way each: what is sent to a process that has died breaks only that pipe, and what it said before is still read
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined) preferForOomKill(child.pid);
  const channel = child.stdio[3] as Readable;
  const orders = child.stdio[4] as Writable;
  const writer = createFrameWriter<ToNodeChild>(orders);
  const tasks: SupervisedTask[] = [];
  const mark = markOomKills();
  let stderr = '';
  let gone = false;

  const take = (dispatchId: string): SupervisedTask | null => {
    const at = tasks.findIndex((task) => task.dispatch.dispatchId === dispatchId);
    return at < 0 ? null : (tasks.splice(at, 1)[0] ?? null);
  };
  const find = (dispatchId: string) => tasks.find((task) => task.dispatch.dispatchId === dispatchId);
  const running = () => (tasks[0]?.begun ? tasks[0] : null);
  const onMessage = (message: FromNodeChild) => {
    if (message.type === 'began') {
      const task = find(message.dispatchId);
      task?.began(child.pid ?? null);
      if (task?.stopReason && child.pid !== undefined) signalGroup(child.pid, 'SIGTERM');
    } else if (message.type === 'print') find(message.dispatchId)?.log.write(message.stream, message.text);
    else if (message.type === 'ended') {
      const task = take(message.dispatchId);
      if (!task) return;
      task.end({ ...exited(null, null), result: message.result });
      events.ended(task, message.ms);
    } else if (message.type === 'returned') {
      events.returned(message.dispatchIds.map(take).filter((task) => task !== null));
    } else if (message.type === 'ready') events.ready();
    else events.loadFailed(message.message, message.stack);
  };
  // The channel and the two pipes become readable in any order. So an end waits for the turn's other reads: what programs wrote
  // before it still belongs to its task; and output that comes ahead of a beginning waits for it as long.
  const postponed: FromNodeChild[] = [];
  const takePostponed = () => postponed.splice(0).forEach(onMessage);
  const hear = (messages: FromNodeChild[]) => {
    for (const message of messages) {
      if (postponed.length === 0 && message.type !== 'ended') onMessage(message);
      else if (postponed.push(message) === 1) setImmediate(takePostponed);
    }
  };
  const onOutput = (stream: 'o' | 'e', data: Buffer) => {
    const task = running();
    if (task) task.log.write(stream, data);
    else setImmediate(() => running()?.log.write(stream, data));
  };
  const onClose = (code: number | null, signal: string | null) => {
    if (gone) return;
    takePostponed();
    gone = true;
    // What cannot be removed now goes with the work folder, when the supervisor ends.
    rm(cwd, { recursive: true, force: true }, () => undefined);
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    const task = running();
    if (task) {
      tasks.shift();
      const heapFull = stderr.includes('heap out of memory');
      const oomKilled = signal === 'SIGKILL' && mark.killedSince();
      task.end({ ...exited(code, signal), outOfMemory: heapFull || oomKilled, lastLine: task.log.lastError() });
    }
    const why = `The Node process ended (${signal ?? `exit code ${code}`})${stderr && `: ${stderr.trim().split('\n').slice(-3).join(' / ')}`}`;
    events.gone(tasks.splice(0), why);
  };
  for (const pipe of [channel, orders]) pipe.on('error', () => undefined);
  readFrames<FromNodeChild>(channel, hear, () => child.kill('SIGKILL'));
  // What does not pass through the process's own print functions: programs it starts, the interpreter itself.
  child.stdout?.on('data', (data: Buffer) => onOutput('o', data));
  child.stderr?.on('data', (data: Buffer) => {
    stderr = (stderr + data.toString('utf8')).slice(-STDERR_KEPT);
    onOutput('e', data);
  });
  child.on('error', (error) => {
    stderr ||= error.message;
    onClose(null, null);
  });
  child.on('exit', () => {
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    for (const stream of child.stdio) letGoWhenQuiet(stream);
  });
  child.on('close', onClose);
  writer.send({ op: 'load', bundleDir, env, room: roomOf(config) });

  return {
    get pid() {
      return child.pid;
    },
    tasks,
    push(task) {
      tasks.push(task);
      const { dispatch, ...work } = program.workOf(task);
      writer.send({ op: 'run', ...work, dispatch: { ...dispatch, token: null } });
    },
    takeBack: (wanted) => writer.send({ op: 'return', dispatchIds: wanted.map((task) => task.dispatch.dispatchId) }),
    setPaused(paused) {
      for (const stream of [channel, child.stdout, child.stderr])
        if (paused) stream?.pause();
        else stream?.resume();
    },
    kill() {
      if (!gone && child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    },
  };
}

const exited = (code: number | null, signal: string | null): Ending & { how: 'exited' } => ({
  how: 'exited',
  code,
  signal,
  result: null,
  peakMemory: null,
  outOfMemory: false,
  lastLine: null,
});
