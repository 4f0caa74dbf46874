/** The process between a worker and the code of tasks. It lives as long as the worker's end of its orders is open. */
import { Socket } from 'node:net';
import { createFrameWriter, readFrames } from './framing.ts';
import { startGuard } from './guard.ts';
import type { FromSupervisor, ToSupervisor } from './messages.ts';
import { SUPERVISOR_VARIABLE } from './process-group.ts';
import { createTaskTable, type TaskTable } from './task-table.ts';

const CHANNEL_FD = 3;
const ORDERS_FD = 4;
/** Of output that the worker has not taken yet: beyond it the tasks' pipes fill up and they wait. */
const UNSENT_LIMIT = 8 * 1024 * 1024;

function main(): void {
  const channel = new Socket({ fd: CHANNEL_FD, readable: false, writable: true });
  const orders = new Socket({ fd: ORDERS_FD, readable: true, writable: false });
  const writer = createFrameWriter<FromSupervisor>(channel);
  let tasks: TaskTable | null = null;
  let paused = false;

  const setPaused = (value: boolean) => {
    if (paused !== value) tasks?.setPaused(value);
    paused = value;
  };
  const send = (message: FromSupervisor) => {
    writer.send(message);
    if (!paused && channel.writableLength > UNSENT_LIMIT) setPaused(true);
  };
  const onMessage = (message: ToSupervisor) => {
    if (message.op === 'configure') {
      const { config } = message;
      const environment = { ...config.environment, [SUPERVISOR_VARIABLE]: config.supervisorId };
      startGuard(config.supervisorId, config.environment['PATH'] ?? '/usr/bin:/bin');
      tasks = createTaskTable({ ...config, environment }, send);
    } else if (message.op === 'start') tasks?.start(message.dispatch, message.bundleDir);
    else if (message.op === 'stop') tasks?.stopTask(message.dispatchId, message.reason);
    else if (message.op === 'ping') writer.send({ type: 'pong' });
    else tasks?.interrupt();
  };
  const leave = () => {
    tasks?.stop();
    process.exit(0);
  };
  channel.on('drain', () => setPaused(false));
  for (const pipe of [channel, orders]) pipe.on('error', leave).on('end', leave).on('close', leave);
  readFrames<ToSupervisor>(
    orders,
    (messages) => messages.forEach(onMessage),
    (error) => {
      throw error;
    },
  );
  // Ctrl-C goes to every process of a terminal; the worker decides what it means.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
}

main();
