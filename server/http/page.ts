/** The web page: built files, and the page itself for every path that is a place in it. */
import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import sirv from 'sirv';
import { sendText } from './reply.ts';

/** sirv lists the folder when it is made: build first, then start. */
export function createPage(root: string) {
  if (!existsSync(join(root, 'index.html')))
    return (_req: IncomingMessage, res: ServerResponse): void =>
      sendText(res, 503, 'The page is not built. Run "npm run build", then start again. The API is at /graphql.');
  const files = sirv(root, {
    single: true,
    etag: true,
    setHeaders: (res, path) =>
      res.setHeader('cache-control', path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'),
  });
  return (req: IncomingMessage, res: ServerResponse): void =>
    files(req, res, () => sendText(res, 404, 'There is nothing here.'));
}
