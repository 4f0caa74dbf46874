import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { entryPoint } from '../entry-points.ts';
import { createFrameWriter, readFrames } from './framing.ts';
import { letGoWhenQuiet } from './let-go.ts';
import type { FromSupervisor, SupervisorConfig, ToSupervisor } from './messages.ts';
import { isAlive, killTagged, SUPERVISOR_VARIABLE } from './process-group.ts';
import { SILENCE_SECONDS, startPings } from './supervisor-pings.ts';

export interface SupervisorProcess {
  readonly pid: number | undefined;
  send(message: ToSupervisor): void;
  setPaused(paused: boolean): void;
  /** Closes its orders: it kills what it runs and ends. */
  close(): Promise<void>;
}

const CLOSE_MS = 5_000;

export interface SupervisorProcessDeps {
  home: string;
  settings: Omit<SupervisorConfig, 'supervisorId' | 'workDir'>;
  onMessages(messages: FromSupervisor[]): void;
  /** Once, when nothing of it is left: no process of a task either. `why` is for people. */
  onGone(why: string): void;
  /** Between two pings. */
  pingMs?: number | undefined;
}

export function startSupervisorProcess(deps: SupervisorProcessDeps): SupervisorProcess {
  const { home, settings, onMessages } = deps;
  const supervisorId = randomUUID();
  const parent = join(home, 'work');
  const workDir = join(parent, `${process.pid}-${supervisorId}`);
  mkdirSync(workDir, { recursive: true, mode: 0o700 });
  removeAbandoned(parent);
  const { command, args } = entryPoint('supervisor');
  const child = spawn(command, args, {
    cwd: workDir,
    // Its own, so that what kills this process group leaves it to end in order.
    detached: true,
    env: settings.environment,
    // One way each: what is sent to a supervisor that has died breaks only that pipe, and what it said before is still read
    stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe'],
  });
  const channel = child.stdio[3] as Readable;
  const orders = child.stdio[4] as Writable;
  const writer = createFrameWriter<ToSupervisor>(orders);
  let isGone = false;
  let why = 'The supervisor process that ran it ended.';
  const pings = startPings({
    ping: () => writer.send({ op: 'ping' }),
    // Its task processes go with it: they are found by their environment
    onSilent() {
      why = `The supervisor process that ran it did not answer for ${SILENCE_SECONDS} s and was killed.`;
      child.kill('SIGKILL');
    },
    pingMs: deps.pingMs,
  });
  const closed = new Promise<void>((resolve) => {
    const onGone = () => {
      if (isGone) return;
      isGone = true;
      pings.stop();
      killTagged(new Set([`${SUPERVISOR_VARIABLE}=${supervisorId}`]));
      void rm(workDir, { recursive: true, force: true }).catch(() => undefined);
      resolve();
      deps.onGone(why);
    };
    child.on('error', onGone);
    child.on('exit', () => {
      for (const pipe of [channel, orders]) letGoWhenQuiet(pipe);
    });
    child.on('close', onGone);
  });
  for (const pipe of [channel, orders]) pipe.on('error', () => undefined);
  const hear = (messages: FromSupervisor[]) => {
    pings.heard();
    onMessages(messages);
  };
  readFrames(channel, hear, () => child.kill('SIGKILL'));
  writer.send({ op: 'configure', config: { ...settings, supervisorId, workDir } });
  return {
    pid: child.pid,
    send: writer.send,
    setPaused(paused) {
      pings.setPaused(paused);
      if (paused) channel.pause();
      else channel.resume();
    },
    async close() {
      writer.flush();
      orders.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Work folders of workers that were killed, and the processes that may have outlived them. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const [, pid, supervisorId] = /^(\d+)-([0-9a-f-]{36})$/.exec(name) ?? [];
    if (pid === undefined || Number(pid) === process.pid || isAlive(Number(pid))) continue;
    killTagged(new Set([`${SUPERVISOR_VARIABLE}=${supervisorId}`]));
    void rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
