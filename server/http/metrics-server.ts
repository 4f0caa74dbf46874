/** Metrics on a port of their own: a scheduler has no other, and whoever reads them has not signed in. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../metrics/metrics.ts';
import { sendText } from './reply.ts';

export const METRICS_PATH = '/metrics';

export interface MetricsServer {
  port: number;
  stop(): Promise<void>;
}

/** Port 0 takes a free one. @throws as `listen` does */
export async function startMetricsServer(
  metrics: Metrics,
  { host, port, onError }: { host: string; port: number; onError(error: unknown): void },
): Promise<MetricsServer> {
  const server = createServer((req, res) => {
    if (req.url?.split('?', 1)[0] !== METRICS_PATH) return sendText(res, 404, `Metrics are at ${METRICS_PATH}.`);
    if (req.method !== 'GET' && req.method !== 'HEAD') return sendText(res, 405, 'Metrics can only be read.');
    metrics.render().then(
      (text) => {
        res.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' });
        res.end(text);
      },
      (error: unknown) => {
        onError(error);
        sendText(res, 500, 'The metrics could not be read; the log of the service says why.');
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
