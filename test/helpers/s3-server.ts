import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import type { S3StoreConfig } from '#server/logs/s3-store.ts';

/** It has no types of its own. */
interface Server {
  run(): Promise<{ address: string; port: number }>;
  close(): Promise<void>;
}
const S3rver = createRequire(import.meta.url)('s3rver') as new (options: object) => Server;

export const S3_CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

export interface TestS3 {
  config: S3StoreConfig;
  /** Where its objects lie. */
  folder: string;
  /** It does not answer any more; what it holds stays. */
  goAway(): Promise<void>;
  /** At the same address. */
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

export async function startS3(bucket = 'logs'): Promise<TestS3> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-s3-'));
  const open = async (at: number) => {
    const server = new S3rver({
      address: '127.0.0.1',
      port: at,
      silent: true,
      directory: folder,
      configureBuckets: [{ name: bucket, configs: [] }],
    });
    return { server, ...(await server.run()) };
  };
  let { server, port } = await open(0);
  return {
    config: { bucket, prefix: 'of/millrace/', endpoint: `http://127.0.0.1:${port}`, region: null, pathStyle: true },
    folder,
    goAway: () => server.close(),
    async comeBack() {
      ({ server, port } = await open(port));
    },
    async stop() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
