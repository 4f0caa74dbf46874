import { createSubscriber } from 'svelte/reactivity';
import { connection } from './connection.svelte.ts';

/**
 * The server's time, ticking once a second while something on the page reads it. It stands while the connection is lost:
 * an age that goes on growing would claim to know that nothing has happened.
 */
class Clock {
  #offset = $state(0);
  #subscribe = createSubscriber((update) => {
    const timer = setInterval(update, 1000);
    return () => clearInterval(timer);
  });

  get now(): number {
    this.#subscribe();
    return (connection.stale ? connection.asOf : Date.now()) + this.#offset;
  }

  /** `sent` and `received` are local times around the request that `serverNow` answered. */
  adjust(serverNow: string, sent: number, received: number): void {
    this.#offset = Date.parse(serverNow) - (sent + received) / 2;
  }
}

export const clock = new Clock();
