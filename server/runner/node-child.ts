/** A warm Node process that runs the TypeScript tasks of one bundle, one after another. */
import { Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { failureOf } from '#sdk/run-task.ts';
import { readFrames } from './framing.ts';
import type { ToNodeChild } from './messages.ts';
import { createChildChannel, type ChildChannel } from './node-child-channel.ts';
import { createTaskLoop, type LoadedBundle } from './task-loop.ts';

const CHANNEL_FD = 3;
/** As a shell tells the death by SIGTERM. */
const TERMINATED = 143;

function main(): void {
  const channel = createChildChannel(CHANNEL_FD);
  const loop = createTaskLoop(channel);
  const onMessage = (message: ToNodeChild) => {
    if (message.op === 'run') loop.push(message.dispatch);
    else if (message.op === 'return') {
      channel.say({ type: 'returned', dispatchIds: loop.takeBack(message.dispatchIds) });
      channel.flush();
    } else
      void load(message.bundleDir, message.env, channel).then((bundle) => {
        loop.load(bundle);
        loop.run();
      });
  };
  /** An error outside of any promise of a task: this process is no longer to be trusted. */
  const fail = (error: unknown) => {
    loop.fail(error);
    process.exit(1);
  };
  const socket = new Socket({ fd: CHANNEL_FD, readable: true, writable: false });
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

async function load(bundleDir: string, env: { [name: string]: string }, channel: ChildChannel): Promise<LoadedBundle> {
  try {
    const module = (await import(pathToFileURL(join(bundleDir, 'dag.mjs')).href)) as object;
    channel.say({ type: 'ready' });
    channel.flush();
    return { module, bundleDir, env: Object.freeze(env) };
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? null) : null;
    channel.say({ type: 'load_failed', message: failureOf(error).message, stack });
    process.exit(1);
  }
}

main();
