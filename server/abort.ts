/**
 * One signal out of several, for as long as it is needed. By hand, because Node 20 holds the signals that `AbortSignal.any` is made of
 * weakly: one that only it knows, such as a timeout, may be collected before it comes; and it leaves something behind in each that lives long.
 */
import { setMaxListeners } from 'node:events';

/** Of a timer. */
const LONGEST_MS = 2 ** 31 - 1;

export interface Bounded {
  signal: AbortSignal;
  /** Its time counts no longer. */
  untimed(): void;
  /** It is not needed any more: nothing of it stays behind. */
  release(): void;
}

export interface BoundOptions {
  /** From now. Aborts with a TimeoutError. */
  timeoutMs?: number;
}

/** Aborts with the first of `signals`, and with its reason. Whoever asks for it releases it. */
export function anyOf(signals: readonly AbortSignal[], { timeoutMs }: BoundOptions = {}): Bounded {
  const controller = new AbortController();
  const expire = () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  const timer = timeoutMs === undefined ? undefined : setTimeout(expire, Math.min(Math.ceil(timeoutMs), LONGEST_MS));
  const abort = () => controller.abort(signals.find(({ aborted }) => aborted)?.reason);
  for (const signal of signals) {
    // Each is released: however many there are, they are no leak
    setMaxListeners(0, signal);
    signal.addEventListener('abort', abort);
  }
  if (signals.some(({ aborted }) => aborted)) abort();
  return {
    signal: controller.signal,
    untimed: () => clearTimeout(timer),
    release() {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', abort);
    },
  };
}

/** Resolves when one of them aborts. */
export async function aborted(signals: readonly AbortSignal[]): Promise<void> {
  const { signal, release } = anyOf(signals);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  release();
}
