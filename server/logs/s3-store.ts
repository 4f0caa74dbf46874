/** Logs in a bucket of any S3-compatible service. */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  NoSuchKey,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import { createCompressedLogs, type ObjectFolder } from './compressed-log.ts';
import { LogGone, type LogStore } from './log-store.ts';

export interface S3StoreConfig {
  bucket: string;
  /** Before the keys of all logs. */
  prefix: string;
  /** Null: that of AWS. */
  endpoint: string | null;
  region: string | null;
  pathStyle: boolean;
}

/** Of a large log; a smaller one is one request. */
const PART_BYTES = 8 * 2 ** 20;
const PARTS_AT_ONCE = 2;
const MOST_DELETED_AT_ONCE = 1_000;
const TIMEOUT_MS = 30_000;

/** Credentials are found as every AWS client finds them: environment, profile, service account, instance. */
export const createS3Store = (config: S3StoreConfig, more: S3ClientConfig = {}): LogStore =>
  createCompressedLogs(createBucket(config, more));

function createBucket(
  { bucket, prefix, endpoint, region, pathStyle }: S3StoreConfig,
  more: S3ClientConfig,
): ObjectFolder {
  const client = new S3Client({
    region: region ?? 'us-east-1',
    ...(endpoint !== null && { endpoint }),
    forcePathStyle: pathStyle,
    // Many compatible services store the trailers of a checksum as part of the object
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { requestTimeout: TIMEOUT_MS, connectionTimeout: TIMEOUT_MS / 3 },
    ...more,
  });
  /** A key names its bucket: logs of before are found after another bucket was chosen. */
  const keyOf = (key: string): string => (key.startsWith('s3://') ? key : `s3://${bucket}/${prefix}${key}`);
  const placeOf = (key: string) => {
    const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/s.exec(keyOf(key)) ?? [];
    if (Bucket === undefined || Key === undefined) throw new Error(`"${key}" is no key of an object.`);
    return { Bucket, Key };
  };

  return {
    name: 's3',
    keyOf,
    async write(key, content) {
      const upload = new Upload({
        client,
        params: {
          ...placeOf(key),
          Body: Readable.from(content, { objectMode: false }),
          ContentType: 'application/gzip',
        },
        partSize: PART_BYTES,
        queueSize: PARTS_AT_ONCE,
      });
      await upload.done();
    },
    async read(key, from, to) {
      const command = new GetObjectCommand({ ...placeOf(key), Range: `bytes=${from}-${to - 1}` });
      const { Body } = await client.send(command).catch((cause: unknown) => {
        throw cause instanceof NoSuchKey ? new LogGone('s3', key, { cause }) : cause;
      });
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      if (bytes.length !== to - from) throw new Error(`The object "${key}" is not as it was written.`);
      return bytes;
    },
    async delete(keys) {
      const places = keys.map(placeOf);
      for (const Bucket of new Set(places.map((place) => place.Bucket))) {
        const objects = places.flatMap((place) => (place.Bucket === Bucket ? [{ Key: place.Key }] : []));
        for (let at = 0; at < objects.length; at += MOST_DELETED_AT_ONCE)
          await deleteObjects(client, Bucket, objects.slice(at, at + MOST_DELETED_AT_ONCE));
      }
    },
    async check() {
      await client
        .send(new HeadBucketCommand({ Bucket: bucket }))
        .catch((cause: { name?: string; message?: string }) => {
          throw new Error(
            `The bucket "${bucket}" cannot be used: ${[cause.name, cause.message].filter(Boolean).join(': ')}. Look at the address, the name and the rights.`,
            { cause },
          );
        });
    },
    close: () => client.destroy(),
  };
}

async function deleteObjects(client: S3Client, Bucket: string, Objects: { Key: string }[]): Promise<void> {
  const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  const [first] = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
  if (first) throw new Error(`${Errors.length} objects were not deleted; ${first.Key}: ${first.Code} ${first.Message}`);
}
