import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type Direction = 'up' | 'down';

/** A TCP line to one of several targets in turn, as a load balancer has it, that can fail in every way a network does. */
export interface FaultyLine {
  port: number;
  /** Every open connection ends with a reset. */
  reset(): void;
  /** Nothing arrives in these directions; new connections open and stay silent. What was sent arrives after `pass`. */
  hold(...directions: Direction[]): void;
  /** What is open stays open, and nothing ever passes there again: as when a router has forgotten it. New connections pass. */
  forget(): void;
  /** Each piece arrives so much later. */
  delay(ms: number): void;
  /** All is well again. */
  pass(): void;
  stop(): Promise<void>;
}

interface Faults {
  held: ReadonlySet<Direction>;
  delayMs: number;
}

export async function openFaultyLine(targets: readonly number[]): Promise<FaultyLine> {
  const faults: Faults = { held: new Set(), delayMs: 0 };
  const pairs = new Set<Pair>();
  let turn = 0;
  const server = createServer({ allowHalfOpen: false }, (near) => {
    const order = targets.map((_, i) => targets[(turn + i) % targets.length]!);
    turn += 1;
    const pair = joinLine(near, order, faults, () => pairs.delete(pair));
    pairs.add(pair);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reset = () => {
    for (const pair of [...pairs]) pair.reset();
  };
  const set = (held: readonly Direction[], delayMs: number) => {
    Object.assign(faults, { held: new Set(held), delayMs });
    for (const pair of pairs) pair.look();
  };
  return {
    port: (server.address() as AddressInfo).port,
    reset,
    hold: (...directions) => set(directions, 0),
    forget() {
      for (const pair of pairs) pair.forget();
    },
    delay: (ms) => set([], ms),
    pass: () => set([], 0),
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      reset();
      await closed;
    },
  };
}

interface Pair {
  reset(): void;
  forget(): void;
  /** The faults have changed. */
  look(): void;
}

/** Connects to the first target that answers, and carries what is sent both ways. */
function joinLine(near: Socket, order: readonly number[], faults: Faults, onEnd: () => void): Pair {
  let far: Socket | undefined;
  let over = false;
  const up = carry('up', faults, (data) => far?.write(data));
  const down = carry('down', faults, (data) => near.write(data));
  const end = (how: 'reset' | 'close') => {
    if (over) return;
    over = true;
    for (const way of [up, down]) way.stop();
    for (const socket of [near, far]) {
      if (how === 'reset') socket?.resetAndDestroy();
      else socket?.destroy();
    }
    onEnd();
  };
  const dial = ([port, ...rest]: readonly number[]) => {
    if (port === undefined || over) return end('reset');
    const socket = connect(port, '127.0.0.1');
    const failed = () => dial(rest);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed).on('error', () => end('reset'));
      if (over) return void socket.destroy();
      far = socket;
      far.on('data', down.push).on('close', () => end('close'));
      up.open();
    });
  };
  near.on('error', () => end('reset')).on('close', () => end('close'));
  near.on('data', up.push);
  down.open();
  dial(order);
  return {
    reset: () => end('reset'),
    forget() {
      up.stop();
      down.stop();
    },
    look() {
      up.look();
      down.look();
    },
  };
}

/** One direction: a queue of pieces, each with the time before which it does not arrive. */
function carry(direction: Direction, faults: Faults, write: (data: Buffer) => unknown) {
  const queue: { data: Buffer; due: number }[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isOpen = false;
  let isOver = false;
  const look = () => {
    clearTimeout(timer);
    while (isOpen && queue[0] && !faults.held.has(direction)) {
      const wait = Math.min(queue[0].due - performance.now(), faults.delayMs);
      if (wait > 0) return void (timer = setTimeout(look, wait));
      write(queue.shift()!.data);
    }
  };
  return {
    push(data: Buffer) {
      if (isOver) return;
      queue.push({ data, due: performance.now() + faults.delayMs });
      look();
    },
    open() {
      isOpen = true;
      look();
    },
    look,
    stop() {
      isOver = true;
      clearTimeout(timer);
      queue.length = 0;
    },
  };
}
