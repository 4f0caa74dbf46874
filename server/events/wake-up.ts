/** A flag that can be waited for. Raised while nobody waits, it is not lost. */
export interface WakeUp {
  raise(): void;
  /** Resolves when raised, after the time, or when the signal aborts; lowers the flag. */
  wait(ms: number): Promise<void>;
}

export function createWakeUp(signal: AbortSignal): WakeUp {
  let isRaised = false;
  let go: (() => void) | undefined;
  signal.addEventListener('abort', () => go?.());
  return {
    raise() {
      isRaised = true;
      go?.();
    },
    async wait(ms) {
      if (!isRaised && !signal.aborted) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          go = resolve;
          timer = setTimeout(resolve, ms);
        });
        clearTimeout(timer);
        go = undefined;
      }
      isRaised = false;
    },
  };
}
