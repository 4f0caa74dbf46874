import { createSubscriber } from 'svelte/reactivity';

/** The server's time, ticking once a second while something on the page reads it. */
class Clock {
  #offset = $state(0);
  #subscribe = createSubscriber((update) => {
    const timer = setInterval(update, 1000);
    return () => clearInterval(timer);
  });

  get now(): number {
    this.#subscribe();
    return Date.now() + this.#offset;
  }

  /** `sent` and `received` are local times around the request that `serverNow` answered. */
  adjust(serverNow: string, sent: number, received: number): void {
    this.#offset = Date.parse(serverNow) - (sent + received) / 2;
  }
}

export const clock = new Clock();
