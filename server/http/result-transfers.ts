/** PUT and GET /artifacts/<dispatchId>/<hash> for runners, GET /xcoms/<taskInstanceId>/<key> for people. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ArtifactError, createPostgresArtifacts, MOST_ARTIFACT_BYTES } from '#db/artifacts.ts';
import type { Db } from '#db/client.ts';
import { findXCom } from '#db/queries/xcoms.ts';
import type { Viewer } from '#schema/context.ts';
import { parseTaskInstanceId } from '#schema/global-id.ts';
import { giveResult, takeResult } from '../results/large-results.ts';
import { sendText } from './reply.ts';

const READERS: ReadonlySet<string> = new Set(['viewer', 'editor', 'admin']);

/** A worker speaks for all dispatches, a runner for its own. People have cookies, and nothing to bring. */
const speaksFor = (viewer: Viewer, dispatchId: string): boolean =>
  viewer.dispatchId === null ? viewer.role === 'worker' : viewer.dispatchId === dispatchId;

export function createResultTransfers(db: Db) {
  const artifacts = createPostgresArtifacts(db);
  const results = { db, artifacts };
  return {
    async put(req: IncomingMessage, res: ServerResponse, viewer: Viewer, dispatchId: string, hash: string) {
      const refuse = (status: number, text: string) => {
        // Without reading the body, so the connection cannot be used again
        res.setHeader('connection', 'close');
        sendText(res, status, text);
        req.resume();
      };
      if (!speaksFor(viewer, dispatchId)) return refuse(403, 'This dispatch is not yours.');
      const length = Number(req.headers['content-length'] ?? NaN);
      if (!Number.isSafeInteger(length)) return refuse(411, 'Send the length of the body: Content-Length.');
      if (length > MOST_ARTIFACT_BYTES) return refuse(413, `At most ${MOST_ARTIFACT_BYTES} bytes are allowed.`);
      try {
        await takeResult(results, dispatchId, hash, req as AsyncIterable<Buffer>);
      } catch (error) {
        if (!(error instanceof ArtifactError)) throw error;
        return refuse(409, error.message);
      }
      return sendText(res, 201, 'Stored.');
    },

    async get(res: ServerResponse, viewer: Viewer, dispatchId: string, hash: string) {
      if (!speaksFor(viewer, dispatchId)) return sendText(res, 403, 'This dispatch is not yours.');
      const content = await giveResult(results, dispatchId, hash);
      if (!content) return sendText(res, 404, 'There is no such result.');
      await sendJsonContent(res, content);
    },

    async xcom(res: ServerResponse, viewer: Viewer, taskInstanceId: string, key: string) {
      if (!READERS.has(viewer.role)) return sendText(res, 403, 'This is for people.');
      const task = parseTaskInstanceId(taskInstanceId);
      const found = task && (await findXCom(db, task, key));
      if (!task || !found) return sendText(res, 404, 'There is no such result.');
      const name = `${task.runId}.${task.taskIndex}.${task.mapIndex}-${key.replaceAll(/[^\w.-]/g, '_')}.json`;
      res.setHeader('content-disposition', `attachment; filename="${name}"`);
      const content = found.artifact === null ? inline(found.value) : await artifacts.read(task.runId, found.artifact);
      if (!content) return sendText(res, 404, 'The result is no longer there.');
      return sendJsonContent(res, content);
    },
  };
}

async function* inline(value: unknown): AsyncGenerator<Buffer> {
  yield Buffer.from(JSON.stringify(value));
}

/** Rejects when the content cannot be read to its end. */
export async function sendJsonContent(res: ServerResponse, content: AsyncIterable<Buffer>): Promise<void> {
  res.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  // Who goes in the middle has what they wanted
  await pipeline(Readable.from(content), res).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}
