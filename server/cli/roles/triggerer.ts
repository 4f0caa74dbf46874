import { startTriggerer } from '../../triggerer/triggerer.ts';
import { version } from '../version.ts';
import type { Core } from './engine.ts';
import type { RoleContext } from './role.ts';

/** The part of the scheduler that takes the tasks that need no worker. */
export async function openTriggerer(core: Core, name: string, { log, shutdown }: RoleContext): Promise<void> {
  const onError = (error: unknown, loop: string) => log.error({ error, loop }, 'the triggerer failed at a task');
  const triggerer = await startTriggerer({ ...core, log, name, version: version(), onError });
  shutdown.add('triggerer', () => triggerer.stop());
}
