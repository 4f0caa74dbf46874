import { startRetention } from '../../retention/retention-loop.ts';
import type { Core } from './engine.ts';
import type { RoleContext } from './role.ts';

export async function openRetention(
  core: Core,
  { config, log, shutdown }: RoleContext,
  onDeleted?: (what: string, count: number) => void,
): Promise<void> {
  const onError = (error: unknown, loop: string) => log.error({ error, loop }, 'what is old could not be deleted');
  const retention = await startRetention({ ...core, policies: config.retention, log, onError, onDeleted });
  shutdown.add('retention', () => retention.stop());
}
