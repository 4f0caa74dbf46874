import type { LauncherDeps } from '../../executors/launcher/launcher-deps.ts';
import { startLauncher } from '../../executors/launcher/launcher.ts';
import { version } from '../version.ts';
import type { Core } from './engine.ts';
import type { RoleContext } from './role.ts';

/** The part of the scheduler that has tasks run on clusters. `serviceUrl`: how Pods reach the API where their cluster does not say. */
export async function openLauncher(
  core: Core,
  name: string,
  { log, shutdown }: RoleContext,
  more: Pick<LauncherDeps, 'serviceUrl' | 'suspect' | 'metricsOf'>,
): Promise<void> {
  const onError = (error: unknown, what: string) => log.error({ error, what }, 'the launcher failed at something');
  const launcher = await startLauncher({ ...core, log, name, version: version(), ...more, onError });
  shutdown.add('launcher', () => launcher.stop());
}
