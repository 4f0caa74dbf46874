/** Assets: from tasks that succeed to the runs of the DAGs that wait for what they updated. */
import type { Transaction } from 'kysely';
import { ASSET_KEY } from '#sdk/asset-events.ts';
import { isPlainObject } from '#sdk/spec-fields.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import {
  producingDags,
  recordAssetEvents,
  saidUnder,
  wakeAssetWatchers,
  type AssetNotice,
  type AssetSource,
  type NewAssetEvent,
} from '#db/queries/asset-events.ts';
import type { ConsumedEvent } from '#db/queries/event-consumer.ts';
import type { DB } from '#db/types.ts';
import type { Logger } from '../log.ts';
import { startEventConsumer } from './consume-events.ts';

export interface AssetEventsDeps {
  db: Db;
  engine: Pick<Engine, 'startRuns' | 'versions'>;
  listener: Pick<Listener, 'on' | 'onResync'>;
  log: Logger;
}

export function startAssetEvents({ db, engine, listener, log }: AssetEventsDeps): { stop(): Promise<void> } {
  const consumer = startEventConsumer({
    name: 'assets',
    quick: true,
    db,
    listener,
    log,
    async handle(trx, events) {
      const news = await assetNews(trx, engine, events);
      if (news.length > 0) await recordAssetEvents(trx, news);
    },
  });
  const following = new Set<Promise<void>>();
  // What is lost here is found again: queued runs by the review, waits by their next look
  const off = listener.on('millrace_asset', (payload) => {
    const done = followUp(db, engine, JSON.parse(payload) as AssetNotice)
      .catch((error: unknown) => log.warn({ error }, 'runs for assets could not be started at once'))
      .finally(() => following.delete(done));
    following.add(done);
  });
  return {
    async stop() {
      off();
      await Promise.all([consumer.stop(), ...following]);
    },
  };
}

async function followUp(db: Db, engine: Pick<Engine, 'startRuns'>, { dags, assets }: AssetNotice): Promise<void> {
  await Promise.all([
    dags.length > 0 ? engine.startRuns(dags) : null,
    assets.length > 0 ? wakeAssetWatchers(db, assets) : null,
  ]);
}

/** What the tasks that succeeded have updated. A success that a person decreed updates nothing. */
export async function assetNews(
  trx: Transaction<DB>,
  { versions }: Pick<Engine, 'versions'>,
  events: readonly ConsumedEvent[],
): Promise<NewAssetEvent[]> {
  const ends = events.filter(({ runId, body }) => runId !== null && body.by === undefined && body.t?.some(isSuccess));
  if (ends.length === 0) return [];
  const producing = await producingDags(trx, [...new Set(ends.map((event) => event.dagId))]);
  const wanted = ends.filter((event) => producing.has(event.dagId));
  if (wanted.length === 0) return [];
  await versions.loadRuns(wanted.map((event) => event.runId ?? 0));
  const sources = wanted.flatMap((event) => sourcesOf(versions, event));
  if (sources.length === 0) return [];
  const said = await saidUnder(trx, ASSET_KEY, sources);
  return sources.flatMap(({ outlets, ...by }, i) =>
    outlets.map((asset) => ({ asset, by, extra: extraOf(said[i], asset) })),
  );
}

const isSuccess = ([, , state]: NonNullable<ConsumedEvent['body']['t']>[number]): boolean => state === 'success';

function sourcesOf(
  versions: Engine['versions'],
  { runId, body }: ConsumedEvent,
): (AssetSource & { outlets: string[] })[] {
  const dag = versions.ofRun(runId ?? 0);
  return (body.t ?? []).filter(isSuccess).flatMap(([taskIndex, mapIndex, , tryNumber]) => {
    const task = dag?.tasks[taskIndex];
    // A version from before there were outlets has none
    const outlets = (task?.outlets as string[] | undefined) ?? [];
    if (!task || outlets.length === 0) return [];
    return [{ runId: runId ?? 0, taskIndex, mapIndex, tryNumber, taskId: task.taskId, outlets }];
  });
}

function extraOf(said: Json | undefined, asset: string): { [key: string]: Json } {
  const extra = isPlainObject(said) && Object.hasOwn(said, asset) ? said[asset] : null;
  return isPlainObject(extra) ? (extra as { [key: string]: Json }) : {};
}
