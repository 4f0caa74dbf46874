/** Looks at Git sources when they are due or somebody wants it. Any number of schedulers share them, by lease. */
import type { Listener } from '#db/listen.ts';
import {
  beginGitLook,
  dropGitLook,
  endGitLook,
  GIT_LEASE_SECONDS,
  GitLookLost,
  renewGitLook,
  untilNextGitLook,
  type GitLook,
  type GitOutcome,
} from '#db/queries/git-looks.ts';
import { GIT_WANTED } from '#db/queries/git-sources.ts';
import { startLoop } from '../../scheduler/loop.ts';
import { GitProblem } from './git-problem.ts';
import { lookAtSource, type GitLookDeps } from './look-at-source.ts';
import { sweepWorkFolders } from './work-folder.ts';

export interface GitWatchDeps extends GitLookDeps {
  listener: Pick<Listener, 'on' | 'onResync'>;
  onError(error: unknown, loop: string): void;
}

export interface GitWatch {
  stop(): Promise<void>;
}

const NAME = 'look at Git sources';
const AT_ONCE = 2;
const MOST_MS = 30_000;
const BEAT_MS = (GIT_LEASE_SECONDS * 1000) / 4;

export function startGitWatch(deps: GitWatchDeps): GitWatch {
  const { db, listener, log, onError } = deps;
  const running = new Map<AbortController, Promise<void>>();

  async function look(begun: GitLook, control: AbortController): Promise<void> {
    const { name, state, message } = begun.source;
    const beat = setInterval(() => {
      renewGitLook(db, begun).then((ours) => ours || control.abort(new GitLookLost(name)), onBeatError);
    }, BEAT_MS);
    const onBeatError = (error: unknown) => onError(error, NAME);
    try {
      const outcome = await lookAtSource(deps, begun, control.signal).catch((error: unknown) =>
        failureOf(error, begun),
      );
      await endGitLook(db, begun, outcome);
      if (outcome.problem !== null && (state !== 'failed' || message !== outcome.problem))
        log.warn({ source: name, reason: outcome.problem }, 'the Git source could not be read');
      if (outcome.deployed) {
        const { commit, files, failedFiles, durationMs } = outcome.deployed;
        log.info({ source: name, commit: commit.sha, files, failedFiles, durationMs }, 'a commit is deployed');
      }
    } catch (error) {
      // Other errors are ours: the lease runs out, and the next look tries again
      if (!(error instanceof GitLookLost)) return onError(error, NAME);
      log.info({ source: name }, error.message);
      await dropGitLook(db, begun);
    } finally {
      clearInterval(beat);
    }
  }

  async function pass(): Promise<number> {
    // Another scheduler of this machine may have died since
    if (running.size === 0) await sweepWorkFolders(deps.home);
    while (running.size < AT_ONCE) {
      const begun = await beginGitLook(db);
      if (!begun) break;
      const control = new AbortController();
      const ended = look(begun, control).finally(() => {
        running.delete(control);
        loop.wake();
      });
      running.set(control, ended);
    }
    return running.size < AT_ONCE ? ((await untilNextGitLook(db)) ?? MOST_MS) : MOST_MS;
  }

  const loop = startLoop({ name: NAME, mostMs: MOST_MS, onError, pass });
  const offs = [listener.on(GIT_WANTED, loop.wake), listener.onResync(loop.wake)];
  return {
    async stop() {
      for (const off of offs) off();
      await loop.stop();
      for (const control of running.keys()) control.abort(new GitLookLost('(the scheduler stops)'));
      await Promise.all(running.values());
    },
  };
}

/** What the repository is to blame for. What was to be loaded still is. */
function failureOf(error: unknown, { reload }: GitLook): GitOutcome {
  if (error instanceof GitProblem) return { problem: error.message, deployed: null, reload };
  throw error;
}
