import { readConfig, type Config, type ConfigRole } from '../../config.ts';
import { createLogger, type Logger } from '../../log.ts';
import { createShutdown, type Shutdown } from '../../shutdown.ts';

export interface RoleContext {
  config: Config;
  log: Logger;
  shutdown: Shutdown;
}

/** For all that stops beside the tasks. */
const MARGIN_MS = 15_000;

/** Starts a role: `compose` starts its parts and puts their stops on the stack. Signals end it; a failure stops what had started. */
export async function runRole(role: ConfigRole, compose: (context: RoleContext) => Promise<void>): Promise<void> {
  const config = readConfig(role);
  const log = createLogger({ ...config.log, ...(role === 'start' ? {} : { role }) });
  const shutdown = createShutdown({ log, graceMs: config.shutdownSeconds * 1_000 + MARGIN_MS });
  shutdown.handleSignals();
  try {
    await compose({ config, log, shutdown });
  } catch (error) {
    // Stopped while starting: the failure is only its consequence.
    const stopping = shutdown.signal.aborted;
    await shutdown.run('start failed');
    if (!stopping) throw error;
  }
}
