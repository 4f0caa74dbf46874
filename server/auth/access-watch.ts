/** Ends long-lived connections when the access behind them ends: at its expiry, when it is taken back, when its role changes. */
import type { Listener } from '#db/listen.ts';
import type { Viewer } from '#schema/context.ts';
import type { Logger } from '../log.ts';
import type { Authenticator } from './authenticate.ts';

export interface AccessWatch {
  /** Calls `end` at most once. `expired`: signing in again helps; `changed`: so does connecting again. */
  add(viewer: Viewer, end: (why: 'expired' | 'changed') => void): () => void;
  stop(): void;
}

/** The net under lost notifications. */
const RECHECK_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Watched {
  viewer: Viewer;
  end(why: 'expired' | 'changed'): void;
  timer: NodeJS.Timeout | undefined;
}

export interface AccessWatchDeps {
  authenticator: Pick<Authenticator, 'recheck'>;
  listener: Pick<Listener, 'on' | 'onResync'>;
  log: Logger;
}

export function createAccessWatch({ authenticator, listener, log }: AccessWatchDeps): AccessWatch {
  const all = new Set<Watched>();

  const finish = (watched: Watched, why: 'expired' | 'changed') => {
    if (!all.delete(watched)) return;
    clearTimeout(watched.timer);
    watched.end(why);
  };
  const arm = (watched: Watched) => {
    clearTimeout(watched.timer);
    const ms = watched.viewer.expiresAt.getTime() - Date.now();
    watched.timer = setTimeout(() => void look([watched]), Math.min(Math.max(ms, 0) + 5, LONGEST_TIMER_MS));
    watched.timer.unref();
  };

  async function look(some: readonly Watched[]): Promise<void> {
    const answers = new Map<string, Promise<Viewer | null>>();
    for (const watched of some) {
      const key = JSON.stringify([watched.viewer.credential, watched.viewer.dispatchId]);
      const answer = answers.get(key) ?? authenticator.recheck(watched.viewer);
      answers.set(key, answer);
      try {
        const viewer = await answer;
        if (!viewer) finish(watched, 'expired');
        else if (viewer.role !== watched.viewer.role) finish(watched, 'changed');
        else if (all.has(watched)) {
          watched.viewer = viewer;
          arm(watched);
        }
      } catch (error) {
        // The database is away: nothing can be said, so look again later
        log.warn({ error }, 'the access behind a connection could not be looked at');
      }
    }
  }

  const lookAtAll = () => void look([...all]);
  const timer = setInterval(lookAtAll, RECHECK_MS);
  timer.unref();
  const offs = [listener.on('millrace_access', lookAtAll), listener.onResync(lookAtAll)];

  return {
    add(viewer, end) {
      const watched: Watched = { viewer, end, timer: undefined };
      all.add(watched);
      arm(watched);
      return () => {
        all.delete(watched);
        clearTimeout(watched.timer);
      };
    },
    stop() {
      clearInterval(timer);
      for (const off of offs) off();
      for (const { timer: armed } of all) clearTimeout(armed);
      all.clear();
    },
  };
}
