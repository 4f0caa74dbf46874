/** What sets the instances of a mapped task apart. */
import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { findMapItems, type MapArguments } from '#db/queries/map-items.ts';
import { MAP_NAME_FIELD } from '#db/queries/rendered-fields.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { formatTaskKey } from '../task-key.ts';
import { dagOfRun, keyOf, lastTries, TaskInstanceNode } from './task-instance.ts';
import { renderedOf } from './task-try.ts';

const mapItems = createContextCache(
  (ctx: Context) =>
    new DataLoader<TaskKey, MapArguments | null, string>((keys) => findMapItems(ctx.db, keys), {
      cacheKeyFn: formatTaskKey,
    }),
);

builder.objectFields(TaskInstanceNode, (t) => ({
  mapItem: t.field({
    type: 'JSON',
    nullable: true,
    description: 'The arguments that this copy was made for, by name; null when the task is not mapped.',
    resolve: async ({ run_id: runId, task_index: taskIndex, map_index: mapIndex }, _args, ctx) => {
      if (mapIndex < 0) return null;
      const unit = (await dagOfRun(ctx, runId)).flow.unitOf[taskIndex] ?? -1;
      return mapItems(ctx).load({ runId, taskIndex: unit, mapIndex });
    },
  }),
  mapName: t.string({
    nullable: true,
    description: 'Its name for people, once a try has ended; null when the map gives none.',
    resolve: async (row, _args, ctx) => {
      const last = row.map_index < 0 ? null : await lastTries(ctx).load(keyOf(row));
      return (last && (await renderedOf(ctx, last))?.[MAP_NAME_FIELD]) ?? null;
    },
  }),
}));
