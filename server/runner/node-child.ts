/** A warm Node process that runs the TypeScript tasks of one bundle, one after another. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import { failureOf, runTypeScriptTask, type TaskHost } from '#sdk/run-task.ts';
import { readFrames } from './framing.ts';
import type { TaskResult, ToNodeChild } from './messages.ts';
import { createChildChannel, type ChildChannel } from './node-child-channel.ts';

const CHANNEL_FD = 3;
/** Between two looks at what the supervisor says, while short tasks follow each other. */
const TURN_MS = 5;

interface Current {
  dispatchId: string;
  abort: AbortController;
}

interface Loaded {
  module: object;
  bundleDir: string;
  env: { readonly [name: string]: string };
}

function main(): void {
  const channel = createChildChannel(CHANNEL_FD);
  const storage = new AsyncLocalStorage<Current>();
  const queue: Dispatch[] = [];
  let current: Current | null = null;
  let pumping = false;
  let bundle: Loaded | null = null;

  const runNext = async ({ module, bundleDir, env }: Loaded, dispatch: Dispatch) => {
    const { dispatchId } = dispatch;
    const running: Current = { dispatchId, abort: new AbortController() };
    current = running;
    // Written before the code runs, with the end of the one before: what has begun is known even if this one blocks or crashes.
    channel.say({ type: 'began', dispatchId });
    channel.flush();
    const startedAt = performance.now();
    const xcoms: { [key: string]: Json } = {};
    const host: TaskHost = {
      signal: running.abort.signal,
      bundleDir,
      env,
      xcomPush: (key, value) => void (xcoms[key] = value),
    };
    const result = await storage.run(running, () => resultOf(module, dispatch, host, xcoms));
    if (result.stack) channel.print(dispatchId, 'e', `${result.stack}\n`);
    channel.say({ type: 'ended', dispatchId, result, ms: performance.now() - startedAt });
    current = null;
  };
  const pump = async () => {
    if (pumping || !bundle) return;
    pumping = true;
    let turn = performance.now();
    for (let dispatch = queue.shift(); dispatch; dispatch = queue.shift()) {
      await runNext(bundle, dispatch);
      if (performance.now() - turn < TURN_MS) continue;
      channel.flush();
      await nextTurn();
      turn = performance.now();
    }
    pumping = false;
    channel.flush();
  };
  const onMessages = (messages: ToNodeChild[]) => {
    for (const message of messages) {
      if (message.op === 'run') queue.push(message.dispatch);
      else if (message.op === 'load') {
        const { bundleDir, env } = message;
        void load(bundleDir, channel).then((module) => {
          bundle = { module, bundleDir, env: Object.freeze(env) };
          void pump();
        });
      } else {
        const back = message.dispatchIds.filter((id) => queue.some((dispatch) => dispatch.dispatchId === id));
        queue.splice(0, queue.length, ...queue.filter((dispatch) => !back.includes(dispatch.dispatchId)));
        channel.say({ type: 'returned', dispatchIds: back });
        channel.flush();
      }
    }
    void pump();
  };

  const socket = new Socket({ fd: CHANNEL_FD, readable: true, writable: false });
  // The supervisor is gone; what is still running must not outlive it.
  socket.on('close', () => process.exit(0));
  readFrames<ToNodeChild>(socket, onMessages, (error) => fail(channel, current, error));
  channel.capturePrints(() => (storage.getStore() ?? current)?.dispatchId ?? null);
  process.on('exit', channel.flush);
  process.on('uncaughtException', (error) => fail(channel, current, error));
  process.on('SIGTERM', () => {
    const heard = current !== null && getEventListeners(current.abort.signal, 'abort').length > 0;
    current?.abort.abort(new Error('The task is being stopped.'));
    if (!heard) process.exit(143);
  });
}

async function load(bundleDir: string, channel: ChildChannel): Promise<object> {
  try {
    const module = (await import(pathToFileURL(join(bundleDir, 'dag.mjs')).href)) as object;
    channel.say({ type: 'ready' });
    channel.flush();
    return module;
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? null) : null;
    channel.say({ type: 'load_failed', message: failureOf(error).message, stack });
    process.exit(1);
  }
}

async function resultOf(
  module: object,
  dispatch: Dispatch,
  host: TaskHost,
  xcoms: { [key: string]: Json },
): Promise<TaskResult> {
  try {
    const value = await runTypeScriptTask(module, dispatch, host);
    if (value !== null) xcoms['return_value'] = value;
    return { outcome: 'success', ...(Object.keys(xcoms).length > 0 && { xcoms }) };
  } catch (error) {
    return failedResult(error, xcoms);
  }
}

function failedResult(error: unknown, xcoms: { [key: string]: Json }): TaskResult {
  const failure = failureOf(error);
  const result: TaskResult = { ...failure, ...(Object.keys(xcoms).length > 0 && { xcoms }) };
  if (failure.outcome === 'failed' && error instanceof Error && failure.cause === 'exception') {
    result.name = error.name;
    result.stack = ownStack(error);
  }
  return result;
}

const MAX_CAUSES = 5;

/** The stack without the frames of this program, and those of the causes. */
function ownStack(error: Error): string {
  const stacks: string[] = [];
  for (let at: unknown = error; at instanceof Error && stacks.length < MAX_CAUSES; at = at.cause) {
    const lines = (at.stack ?? String(at)).split('\n');
    const end = lines.findIndex((line) => /^ +at (async )?runTypeScriptTask /.test(line));
    stacks.push(lines.slice(0, end < 0 ? undefined : end).join('\n'));
  }
  return stacks.join('\nCaused by: ');
}

/** Thrown outside of any promise of the task: this process is no longer to be trusted. */
function fail(channel: ChildChannel, current: Current | null, error: unknown): never {
  if (current) {
    const result = failedResult(error, {});
    if (result.stack) channel.print(current.dispatchId, 'e', `Uncaught ${result.stack}\n`);
    channel.say({ type: 'ended', dispatchId: current.dispatchId, result, ms: 0 });
  }
  process.exit(1);
}

main();
