import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import type { Vault } from '#db/vault.ts';
import type { Logger } from '../../log.ts';
import type { LaunchMetrics } from './launch-metrics.ts';

export interface LauncherDeps {
  db: Db;
  pool: pg.Pool;
  engine: Engine;
  listener: Listener;
  vault: Vault;
  log: Logger;
  /** Of its registration; a name that stays over restarts lets the next one go on at once. */
  name: string;
  version: string;
  /** How Pods reach the API where their cluster does not say; null: they cannot. */
  serviceUrl: string | null;
  /** A launcher that has not been heard of for so long is gone: others take over what it had. */
  silentSeconds?: number;
  /** Of a cluster. */
  metricsOf?(cluster: string): LaunchMetrics;
  /** A request to this cluster went wrong: whoever looks after its health may look. */
  suspect?(cluster: string): void;
  onError(error: unknown, what: string): void;
}
