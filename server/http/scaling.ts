/** GET /scaling/queues/<name>: how many workers a queue needs, for autoscalers such as KEDA. */
import type { ServerResponse } from 'node:http';
import type { Db } from '#db/client.ts';
import { findQueueFigures, NO_FIGURES } from '#db/queries/queue-figures.ts';
import { findQueues } from '#db/queries/queues.ts';
import type { Viewer } from '#schema/context.ts';
import { sendText } from './reply.ts';

const READERS: ReadonlySet<string> = new Set(['viewer', 'editor', 'admin']);

export function createScaling(db: Db) {
  return async (res: ServerResponse, viewer: Viewer, name: string): Promise<void> => {
    if (!READERS.has(viewer.role))
      return sendText(res, 403, 'Queues are shown to tokens of people: make one of role viewer.');
    const [queue] = name.includes('\0') ? [] : await findQueues(db, [name]);
    if (!queue)
      return sendText(res, 404, `There is no queue "${name.slice(0, 200)}": no task names it and no worker serves it.`);
    const found = (await findQueueFigures(db, [name])).get(name) ?? NO_FIGURES;
    const paused = queue.paused_at !== null;
    // What is kept back needs no worker
    const depth = paused ? 0 : found.depth;
    res.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
    res.end(
      JSON.stringify({
        queue: name,
        paused,
        depth,
        running: found.running,
        wanted: depth + found.running,
        oldestSeconds: paused ? 0 : (found.oldest_seconds ?? 0),
        consumers: found.consumers,
        slots: found.slots,
        freeSlots: found.free_slots,
      }),
    );
  };
}
