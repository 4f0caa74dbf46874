import type { Logger } from './log.ts';

export interface Shutdown {
  /** Aborts when the shutdown begins: loops take it. */
  signal: AbortSignal;
  /** Stops run last in, first out. `force` is what must still happen when there is no time for `stop`. */
  add(name: string, stop: () => unknown, force?: () => unknown): void;
  /** Runs every stop once; later callers wait for the same end. */
  run(reason: string): Promise<void>;
  /** Runs the stops on SIGINT, SIGTERM and SIGHUP, then ends the process by that signal. A second signal forces. */
  handleSignals(): void;
}

interface Part {
  name: string;
  stop: () => unknown;
  force?: (() => unknown) | undefined;
}

export interface ShutdownOptions {
  log: Logger;
  /** Time for all stops together; what has not ended then is forced. */
  graceMs?: number;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function createShutdown({ log, graceMs = 30_000 }: ShutdownOptions): Shutdown {
  const parts: Part[] = [];
  const abort = new AbortController();
  const forced = new AbortController();
  let running: Promise<void> | undefined;
  let isOver = false;

  async function stopAll(reason: string): Promise<void> {
    log.info({ reason }, 'stopping');
    abort.abort();
    const timer = setTimeout(() => forced.abort(), graceMs);
    const force = new Promise<void>((resolve) => forced.signal.addEventListener('abort', () => resolve()));
    for (let part = parts.pop(); part; part = parts.pop()) {
      if (!forced.signal.aborted) await Promise.race([attempt(part, part.stop), force]);
      if (forced.signal.aborted && part.force) await attempt(part, part.force);
    }
    isOver = true;
    clearTimeout(timer);
    if (forced.signal.aborted) log.warn({ graceMs }, 'stopped by force');
  }

  async function attempt(part: Part, stop: () => unknown): Promise<void> {
    try {
      await stop();
    } catch (error) {
      log.error({ error, part: part.name }, 'a part did not stop cleanly');
    }
  }

  function onSignal(signal: NodeJS.Signals): void {
    if (running) return forced.abort();
    void shutdown.run(signal).then(() => endBy(signal, onSignal));
  }

  const shutdown: Shutdown = {
    signal: abort.signal,
    add(name, stop, force) {
      // It was still being started when all the others had stopped
      if (isOver) void attempt({ name, stop, force }, stop);
      else parts.push({ name, stop, force });
    },
    run: (reason) => (running ??= stopAll(reason)),
    handleSignals() {
      for (const signal of SIGNALS) process.on(signal, onSignal);
    },
  };
  return shutdown;
}

/** The parent sees the truth: ended by the signal, not by some exit code. */
function endBy(signal: NodeJS.Signals, handler: (signal: NodeJS.Signals) => void): void {
  for (const name of SIGNALS) process.off(name, handler);
  process.kill(process.pid, signal);
}
