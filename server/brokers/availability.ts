/** Whether a service beside us answers: once it has failed nobody waits for it for a while. */
import type { Logger } from '../log.ts';

/** For so long it is not asked again. */
const AWAY_MS = 1_000;

export interface Availability {
  isUp(): boolean;
  /** Null: it is away. */
  ask<T>(work: () => Promise<T>): Promise<T | null>;
  away(error: unknown): void;
}

/** Errors of the client carry the command that failed, at sign-in with the password: only what it says is told. */
export function plainError(error: unknown): { message: string } {
  return { message: error instanceof Error ? error.message : String(error) };
}

/** Says once that it is away, and once that it is back. */
export function createAvailability(isConnected: () => boolean, log: Pick<Logger, 'warn' | 'info'>): Availability {
  let awayUntil = 0;
  let told = false;
  const isUp = () => isConnected() && performance.now() >= awayUntil;
  const away = (error: unknown) => {
    awayUntil = performance.now() + AWAY_MS;
    if (!told) log.warn({ error: plainError(error) }, 'Redis does not answer: claims ask Postgres until it does');
    told = true;
  };
  return {
    isUp,
    away,
    async ask(work) {
      if (!isUp()) return null;
      try {
        const answer = await work();
        if (told) log.info('Redis answers again');
        told = false;
        return answer;
      } catch (error) {
        away(error);
        return null;
      }
    },
  };
}
