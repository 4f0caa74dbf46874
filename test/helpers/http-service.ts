import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Handler = (request: SeenRequest, res: ServerResponse, count: number) => void;

export interface HttpService {
  url: string;
  port: number;
  /** All requests so far. */
  seen: SeenRequest[];
  /** Of one path, without its query. */
  to(path: string): SeenRequest[];
  on(path: string, handler: Handler): void;
  stop(): Promise<void>;
}

export const sendJson = (res: ServerResponse, body: unknown, status = 200, headers = {}): void => {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(body));
};

/** A real HTTP service on a free port; `count` is the number of the request to its path, from 1. */
export async function startHttpService(): Promise<HttpService> {
  const handlers = new Map<string, Handler>();
  const seen: SeenRequest[] = [];
  const bare = (path: string) => path.split('?', 1)[0] ?? '';
  const to = (path: string) => seen.filter((request) => bare(request.path) === path);
  const server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const path = req.url ?? '';
      const request = { method: req.method ?? '', path, headers: req.headers, body: Buffer.concat(parts).toString() };
      seen.push(request);
      const handler = handlers.get(bare(path));
      if (handler) handler(request, res, to(bare(path)).length);
      else sendJson(res, { error: 'nothing here' }, 404);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    to,
    on: (path, handler) => void handlers.set(path, handler),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
