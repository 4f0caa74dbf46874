/** A loop that sleeps until it is woken or its time has come. Errors are told and slow it down; they never end it. */

export interface Loop {
  /** Runs again at once, or once more after the pass under way. */
  wake(): void;
  stop(): Promise<void>;
}

export interface LoopDeps {
  name: string;
  /** One pass. Returns the milliseconds to sleep; 0 runs again at once. */
  pass(): Promise<number>;
  /** Upper bound of a sleep: the net under lost wake-ups. */
  mostMs: number;
  onError(error: unknown, loop: string): void;
}

const AFTER_ERROR_MS = 1000;

export function startLoop({ name, pass, mostMs, onError }: LoopDeps): Loop {
  let stopping = false;
  let woken = false;
  let rouse: (() => void) | undefined;

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      rouse = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const run = async () => {
    while (!stopping) {
      woken = false;
      const ms = await pass().catch((error: unknown) => {
        onError(error, name);
        return AFTER_ERROR_MS;
      });
      if (!woken && !stopping && ms > 0) await sleep(Math.min(ms, mostMs));
    }
  };
  const running = run();

  return {
    wake() {
      woken = true;
      rouse?.();
    },
    async stop() {
      stopping = true;
      rouse?.();
      await running;
    },
  };
}
