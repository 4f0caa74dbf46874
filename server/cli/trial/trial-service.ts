import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startFromTemplate } from '#db/embedded-template.ts';
import { appendLogChunks } from '#db/queries/log.ts';
import { createPool } from '#db/queries/pools.ts';
import { readBundle } from '#db/queries/bundles.ts';
import { ensureWarehouse } from '#db/warehouse.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { LogChunk } from '#sdk/protocol.ts';
import { createDirectWorkerApi } from '../../worker/direct-worker-api.ts';
import { CommandError } from '../command-error.ts';
import { openDatabase } from '../roles/database.ts';
import { openCore, openScheduler, type Core } from '../roles/engine.ts';
import type { RoleContext } from '../roles/role.ts';
import { openTriggerer } from '../roles/triggerer.ts';
import { openWorker } from '../roles/worker.ts';
import { makeTrialFolder, removeTrialFolder } from './trial-folder.ts';

export interface TrialServiceOptions {
  onPrepare(): void;
}

/** Engine and scheduler on a PostgreSQL of their own; all of it goes with the shutdown. */
export async function openTrialCore(context: RoleContext, { onPrepare }: TrialServiceOptions): Promise<Core> {
  const { config, shutdown } = context;
  // Told at once: a signal may come while it is made
  const making = makeTrialFolder();
  const remove = () => making.then(removeTrialFolder);
  shutdown.add('folder', remove, remove);
  const folder = await making;
  if (shutdown.signal.aborted) throw new CommandError('Stopped.');
  const cache = join(config.home, 'trial-templates');
  const starting = startFromTemplate({ cache, dataDir: join(folder, 'postgres'), onPrepare });
  // At once: a signal may come while it starts, and its server must not be left running.
  shutdown.add('postgres', () =>
    starting.then(
      (server) => server.stop(),
      () => undefined,
    ),
  );
  const server = await starting.catch((cause: Error) => {
    throw new CommandError(cause.message, { cause });
  });
  if (shutdown.signal.aborted) throw new CommandError('Stopped.');
  // Tasks work in the folder too.
  context.config = { ...config, home: folder, databaseUrl: null };
  const database = openDatabase(server.url, context);
  const core = await openCore(database, randomBytes(32), context);
  await core.listener.start();
  await openScheduler(core, context);
  await openTriggerer(core, 'triggerer test', context);
  return core;
}

/** A run alone has nobody to share with. */
const MANY_SLOTS = 1_000_000;

/** The pools that tasks name: of those of the service nothing is known here. */
export async function openPools({ db }: Core, specs: readonly DagSpec[]): Promise<void> {
  const names = new Set(specs.flatMap((spec) => spec.tasks.flatMap((task) => task.pool ?? [])));
  for (const name of names)
    await createPool(db, { name, slots: MANY_SLOTS, includeDeferred: false, description: null }, 'test');
}

export interface TrialWorkerOptions {
  queues: string[];
  onLogs(chunks: LogChunk[]): void;
}

/** As inside `millrace start`, and all that tasks print is heard at once. */
export async function openTrialWorker(core: Core, context: RoleContext, options: TrialWorkerOptions): Promise<void> {
  const { db, pool, engine, listener } = core;
  const api = createDirectWorkerApi({
    db,
    engine,
    listener,
    async appendLogs(chunks) {
      await appendLogChunks(pool, chunks);
      options.onLogs(chunks);
    },
  });
  const fetchBundle = async (hash: string) => {
    const archive = await readBundle(db, hash);
    if (!archive) throw new Error(`Bundle ${hash} is not stored.`);
    return archive;
  };
  const environment = { MILLRACE_WAREHOUSE_URL: await ensureWarehouse(core.url) };
  await openWorker({ api, fetchBundle }, 'test', context, { queues: options.queues, environment });
}
