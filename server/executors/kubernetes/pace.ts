/** How fast one cluster may be asked: requests a second with a burst, creations at once, and pauses the API server asks for. */
export interface PaceLimits {
  /** Requests a second in the long run. */
  qps: number;
  /** Requests that may go out at once after a quiet time. */
  burst: number;
  /** Creations under way at the same time. */
  parallelCreates: number;
}

export interface Pace {
  /** Resolves when a request may go out, in the order of the calls. */
  turn(signal?: AbortSignal): Promise<void>;
  /** The same for a creation; call the result when it has been answered. */
  createTurn(signal?: AbortSignal): Promise<() => void>;
  /** No creation starts within the next `seconds`. */
  pauseCreates(seconds: number): void;
  /** Seconds until creations go on; 0 when they do. */
  pausedFor(): number;
}

const LONGEST_PAUSE_S = 300;

/** Rejects with the signal's reason as soon as it is given. */
async function waitMs(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(done, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    function done() {
      signal?.removeEventListener('abort', stop);
      resolve();
    }
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** A place among `most`; first come, first served. `take` gives what gives it back. */
export function createPlaces(most: number) {
  let taken = 0;
  const line: (() => void)[] = [];
  const release = () => {
    const next = line.shift();
    if (next) next();
    else taken -= 1;
  };
  return {
    async take(signal: AbortSignal | undefined): Promise<() => void> {
      signal?.throwIfAborted();
      if (taken < most) taken += 1;
      else
        await new Promise<void>((resolve, reject) => {
          const leave = () => {
            line.splice(line.indexOf(enter), 1);
            reject(signal?.reason as Error);
          };
          const enter = () => {
            signal?.removeEventListener('abort', leave);
            resolve();
          };
          signal?.addEventListener('abort', leave, { once: true });
          line.push(enter);
        });
      let held = true;
      return () => {
        if (held) release();
        held = false;
      };
    },
  };
}

/** @param now a monotonic clock in milliseconds. */
export function createPace(limits: PaceLimits, now: () => number = () => performance.now()): Pace {
  const places = createPlaces(Math.max(1, limits.parallelCreates));
  const gapMs = 1000 / limits.qps;
  /** When the bucket would be empty again: requests are booked ahead of time, so that order needs no queue. */
  let bookedUntil = -Infinity;
  let pausedUntil = 0;

  async function turn(signal?: AbortSignal): Promise<void> {
    const at = now();
    bookedUntil = Math.max(bookedUntil, at - (Math.max(1, limits.burst) - 1) * gapMs) + gapMs;
    const delay = bookedUntil - gapMs - at;
    if (delay > 0) await waitMs(delay, signal);
    else signal?.throwIfAborted();
  }

  async function untilUnpaused(signal?: AbortSignal): Promise<void> {
    for (let left = pausedUntil - now(); left > 0; left = pausedUntil - now()) await waitMs(left, signal);
  }

  async function createTurn(signal?: AbortSignal): Promise<() => void> {
    const release = await places.take(signal);
    try {
      await untilUnpaused(signal);
      await turn(signal);
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  return {
    turn,
    createTurn,
    pauseCreates(seconds) {
      pausedUntil = Math.max(pausedUntil, now() + Math.min(seconds, LONGEST_PAUSE_S) * 1000);
    },
    pausedFor: () => Math.max(0, pausedUntil - now()) / 1000,
  };
}
