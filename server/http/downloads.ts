/** GET /bundles/<hash> and GET /logs/<taskInstanceId>/<try>: what is too large or too raw for GraphQL. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import type { Db } from '#db/client.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import { readBundle } from '#db/queries/bundles.ts';
import { findBundleOfRun } from '#db/queries/dag-runs.ts';
import { findLogSource, type StoredChunk } from '#db/queries/log.ts';
import { whyLogIsGone } from '#schema/gone-log.ts';
import type { Viewer } from '#schema/context.ts';
import { parseTaskInstanceId } from '#schema/global-id.ts';
import type { LogReader } from '#schema/log-reader.ts';
import { readPieces } from '../logs/read-pieces.ts';
import { sendText } from './reply.ts';

const READERS: ReadonlySet<string> = new Set(['viewer', 'editor', 'admin']);

/** People and workers get any bundle, a runner that of its own run. */
async function mayFetch(db: Db, viewer: Viewer, hash: string): Promise<boolean> {
  if (viewer.dispatchId === null) return viewer.role !== 'viewer';
  const key = parseDispatchId(viewer.dispatchId);
  return key !== null && (await findBundleOfRun(db, key.runId)) === hash;
}

export function createDownloads(db: Db, logs: Pick<LogReader, 'read'>) {
  return {
    async bundle(res: ServerResponse, viewer: Viewer, hash: string): Promise<void> {
      const isHash = /^[0-9a-f]{64}$/.test(hash);
      if (isHash && !(await mayFetch(db, viewer, hash))) return sendText(res, 403, 'This bundle is not for you.');
      const archive = isHash ? await readBundle(db, hash) : undefined;
      if (!archive) return sendText(res, 404, 'There is no such bundle.');
      res.writeHead(200, {
        'content-type': 'application/gzip',
        'content-length': archive.length,
        'content-disposition': `attachment; filename="${hash}.tar.gz"`,
        'cache-control': 'private, max-age=31536000, immutable',
      });
      res.end(archive);
    },

    /** As stored: `<ISO time> <o|e|s> <text>` a line, as far as it has come. */
    async log(res: ServerResponse, viewer: Viewer, taskInstanceId: string, tryText: string): Promise<void> {
      if (!READERS.has(viewer.role)) return sendText(res, 403, 'Logs are for people.');
      const task = parseTaskInstanceId(taskInstanceId);
      const tryNumber = /^\d{1,5}$/.test(tryText) ? Number(tryText) : null;
      const source = task && tryNumber !== null ? await findLogSource(db, task, tryNumber) : undefined;
      if (!task || !source) return sendText(res, 404, 'There is no such try.');
      const name = `log-${task.runId}.${task.taskIndex}.${task.mapIndex}-${tryNumber}.txt`;
      const pieces = textOf(source.dispatchId ? readPieces(logs, { runId: task.runId, uuid: source.dispatchId }) : []);
      // Whether it can be read is known with the first piece
      const first = await pieces.next().catch((error: unknown) => error as Error);
      if (first instanceof GraphQLError) return sendText(res, 503, first.message);
      if (first instanceof Error) throw first;
      const gone = first.done ? await whyLogIsGone(db, task.runId, source) : null;
      if (gone !== null) return sendText(res, 410, gone);
      res.writeHead(200, {
        'content-type': 'text/plain; charset=utf-8',
        'content-disposition': `attachment; filename="${name}"`,
        'cache-control': 'no-store',
      });
      for (let piece = first; !piece.done && !res.destroyed; piece = await pieces.next())
        if (!res.write(piece.value)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
      res.end();
    },
  };
}

/** What overlaps counts once. */
async function* textOf(pieces: AsyncIterable<StoredChunk> | Iterable<StoredChunk>): AsyncGenerator<Buffer, void> {
  let sent = 0;
  for await (const { body, byte_offset } of pieces) {
    yield Buffer.from(body).subarray(Math.max(0, sent - byte_offset));
    sent = byte_offset + Buffer.byteLength(body);
  }
}
