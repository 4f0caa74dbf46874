/** GraphiQL from our own address: it needs no internet, and no more rights in the browser than our page. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendText } from './reply.ts';

export const GRAPHIQL_FOLDER = 'graphiql';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Millrace GraphiQL</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/${GRAPHIQL_FOLDER}/graphiql.css">
    <script defer src="/${GRAPHIQL_FOLDER}/graphiql.js"></script>
    <script defer src="/${GRAPHIQL_FOLDER}/start.js"></script>
  </head>
  <body id="body" class="no-focus-outline">
    <noscript>GraphiQL needs JavaScript.</noscript>
    <div id="root"></div>
  </body>
</html>
`;

/** The editor's workers are asked for by these labels. */
const START = `self.MonacoEnvironment = { globalAPI: false, getWorkerUrl: (_module, label) => '/${GRAPHIQL_FOLDER}/' + label + '.worker.js' };
YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), { title: 'Millrace', subscriptionsProtocol: 'WS' });
`;

interface Asset {
  type: string;
  body: Buffer;
  etag: string;
}

export interface Graphiql {
  page(res: ServerResponse): void;
  asset(req: IncomingMessage, res: ServerResponse, name: string): Promise<void>;
}

export function createGraphiql(): Graphiql {
  let assets: Promise<Map<string, Asset>> | undefined;
  return {
    page(res) {
      res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
      res.end(PAGE);
    },
    async asset(req, res, name) {
      const found = (await (assets ??= loadAssets())).get(name);
      if (!found) return sendText(res, 404, 'There is nothing here.');
      const { type, body, etag } = found;
      const headers = { etag, 'cache-control': 'no-cache' };
      if (req.headers['if-none-match'] === etag) return void res.writeHead(304, headers).end();
      res.writeHead(200, { ...headers, 'content-type': `${type}; charset=utf-8`, 'content-length': body.length });
      res.end(req.method === 'HEAD' ? undefined : body);
    },
  };
}

/** Nine megabytes that few servers are ever asked for. */
async function loadAssets(): Promise<Map<string, Asset>> {
  const files = await import('@graphql-yoga/render-graphiql/graphiql');
  const script = (text: string) => assetOf('text/javascript', text);
  return new Map([
    ['graphiql.css', assetOf('text/css', files.css)],
    ['graphiql.js', script(files.js)],
    ['start.js', script(START)],
    ['editorWorkerService.worker.js', script(files.editorWorkerService)],
    ['json.worker.js', script(files.jsonWorker)],
    ['graphql.worker.js', script(files.graphqlWorker)],
  ]);
}

function assetOf(type: string, text: string): Asset {
  const body = Buffer.from(text);
  return { type, body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}
