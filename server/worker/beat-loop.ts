/** Says when a worker beats: steadily, at once when there is reason to, one at a time. */

/** A sixth of a lease, ± 20 % so that many workers do not beat together. */
const BEAT_MS = 10_000;
/** After one that was not answered. So one is always under way when the service comes back. */
const AGAIN_MS = 1_000;

export interface BeatLoop {
  /** What is wanted while one is under way comes after it. */
  now(): void;
  /** Resolves when none is under way, or will be. */
  end(): Promise<void>;
}

export function startBeatLoop(beat: () => Promise<void>, onError: (error: unknown) => void): BeatLoop {
  let isWanted = false;
  let beating: Promise<void> | undefined;
  let pause: NodeJS.Timeout | undefined;
  let ended = false;

  const keepBeating = async () => {
    while (isWanted && !ended) {
      isWanted = false;
      try {
        await beat();
      } catch (error) {
        onError(error);
        pause = setTimeout(now, AGAIN_MS);
      }
    }
    beating = undefined;
  };
  const now = () => {
    clearTimeout(pause);
    isWanted = true;
    if (!ended) beating ??= keepBeating();
  };
  const timer = setInterval(now, BEAT_MS * (0.8 + Math.random() * 0.4));
  now();
  return {
    now,
    async end() {
      ended = true;
      clearInterval(timer);
      clearTimeout(pause);
      await beating;
    },
  };
}
