/** Notices a supervisor that lives and does nothing: stopped by somebody, or stuck. */

const PING_MS = 5_000;
/** So many pings without any word from it. Counted, not timed: a machine that slept has not been silent. */
const MOST_UNANSWERED = 6;
export const SILENCE_SECONDS = (PING_MS * MOST_UNANSWERED) / 1000;

export interface SupervisorPings {
  /** It has said something. */
  heard(): void;
  /** Nobody listens to it for now. */
  setPaused(paused: boolean): void;
  stop(): void;
}

export function startPings({
  ping,
  onSilent,
  pingMs = PING_MS,
}: {
  ping(): void;
  onSilent(): void;
  pingMs?: number | undefined;
}): SupervisorPings {
  let unanswered = 0;
  let isPaused = false;
  const timer = setInterval(() => {
    if (isPaused) return;
    if (unanswered >= MOST_UNANSWERED) {
      clearInterval(timer);
      return onSilent();
    }
    unanswered += 1;
    ping();
  }, pingMs);
  return {
    heard: () => (unanswered = 0),
    setPaused(paused) {
      isPaused = paused;
      unanswered = 0;
    },
    stop: () => clearInterval(timer),
  };
}
