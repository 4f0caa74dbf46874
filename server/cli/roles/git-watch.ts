import { join } from 'node:path';
import { startGitWatch } from '../../bundles/git/watch-sources.ts';
import type { Core } from './engine.ts';
import type { RoleContext } from './role.ts';

const SECOND = 1000;

/** The part of the scheduler that deploys from Git repositories. */
export function openGitWatch({ db, vault, listener }: Core, { config, log, shutdown }: RoleContext): void {
  const { policy, maxBytes } = config.git;
  const watch = startGitWatch({
    ...{ db, vault, listener, log, policy },
    environment: config.worker.environment,
    home: join(config.home, 'git'),
    limits: { askMs: 30 * SECOND, fetchMs: 300 * SECOND, maxBytes },
    onError: (error, loop) => log.error({ error, loop }, 'a look at a Git source failed'),
  });
  shutdown.add('git sources', () => watch.stop());
}
