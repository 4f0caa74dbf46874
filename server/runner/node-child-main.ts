/** The life of a warm Node process that runs tasks one after another: it listens to its orders and ends when these close. */
import { Socket } from 'node:net';
import { failureOf } from '#sdk/run-task.ts';
import { readFrames } from './framing.ts';
import { spillResults, type ResultRoom } from './large-results.ts';
import type { TaskResult, ToNodeChild } from './messages.ts';
import { createChildChannel, type ChildChannel } from './node-child-channel.ts';
import { createTaskLoop, type RunWork } from './task-loop.ts';

const CHANNEL_FD = 3;
const ORDERS_FD = 4;
/** As a shell tells the death by SIGTERM. */
const TERMINATED = 143;

export type LoadMessage = Extract<ToNodeChild, { op: 'load' }>;

/** `load` makes what runs tasks, of what the supervisor says first. */
export function startNodeChild(load: (message: LoadMessage, channel: ChildChannel) => Promise<RunWork>): void {
  const channel = createChildChannel(CHANNEL_FD);
  const loop = createTaskLoop(channel);
  const onMessage = (message: ToNodeChild) => {
    if (message.op === 'run') loop.push(message);
    else if (message.op === 'return') {
      channel.say({ type: 'returned', dispatchIds: loop.takeBack(message.dispatchIds) });
      channel.flush();
    } else
      void loaded(load(message, channel), message.room, channel).then((runWork) => {
        loop.load(runWork);
        loop.run();
      });
  };
  /** An error outside of any promise of a task: this process is no longer to be trusted. */
  const fail = (error: unknown) => {
    loop.fail(error);
    process.exit(1);
  };
  const socket = new Socket({ fd: ORDERS_FD, readable: true, writable: false });
  // The supervisor is gone; what is still running must not outlive it.
  socket.on('close', () => process.exit(0));
  const onMessages = (messages: ToNodeChild[]) => {
    messages.forEach(onMessage);
    loop.run();
  };
  readFrames(socket, onMessages, fail);
  channel.capturePrints(loop.owner);
  process.on('exit', channel.flush);
  process.on('uncaughtException', fail);
  process.on('SIGTERM', () => {
    if (!loop.abort()) process.exit(TERMINATED);
  });
}

/** What succeeds leaves its large results in files. */
function withSpilled(result: TaskResult, room: ResultRoom): TaskResult {
  if (result.outcome !== 'success' || !result.xcoms) return result;
  const { xcoms, files, problem } = spillResults(result.xcoms, room);
  if (problem !== null) return { outcome: 'failed', cause: 'result_invalid', message: problem, retryable: false };
  return { ...result, xcoms, ...(Object.keys(files).length > 0 && { files }) };
}

async function loaded(loading: Promise<RunWork>, room: ResultRoom, channel: ChildChannel): Promise<RunWork> {
  try {
    const runWork = await loading;
    channel.say({ type: 'ready' });
    channel.flush();
    return async (work, signal) => withSpilled(await runWork(work, signal), room);
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? null) : null;
    channel.say({ type: 'load_failed', message: failureOf(error).message, stack });
    process.exit(1);
  }
}
