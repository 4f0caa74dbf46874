import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pack } from 'tar-stream';

export interface BundleFile {
  /** Relative, with `/`. */
  path: string;
  content: Buffer;
  executable: boolean;
}
export interface Bundle {
  /** sha256 over the sorted list of files and what they hold, hex: two archives of the same files are one bundle. */
  hash: string;
  archive: Buffer;
}

/** Postgres holds a bundle in one value, and every worker fetches it whole. */
export const MAX_ARCHIVE_BYTES = 32 * 2 ** 20;
export const MAX_BUNDLE_BYTES = 256 * 2 ** 20;
export const MAX_BUNDLE_FILES = 5000;

const compareCodePoints = (a: { path: string }, b: { path: string }) =>
  a.path < b.path ? -1 : Number(a.path > b.path);

/** The name of a set of files. */
export function bundleHash(files: readonly { path: string; sha256: string; executable: boolean }[]): string {
  const list = [...files].sort(compareCodePoints);
  const lines = list.map((file) => `${file.executable ? 'x' : '-'} ${file.sha256} ${file.path}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** Packs files into a tar.gz without times and owners, so that the same files give the same archive. */
export async function packBundle(files: readonly BundleFile[]): Promise<Bundle> {
  const size = files.reduce((sum, file) => sum + file.content.length, 0);
  if (files.length > MAX_BUNDLE_FILES)
    throw new Error(
      `The bundle would hold ${files.length} files; at most ${MAX_BUNDLE_FILES} are allowed. Narrow the DAG's 'files'.`,
    );
  if (size > MAX_BUNDLE_BYTES)
    throw new Error(
      `The bundle would hold ${megabytes(size)}; at most ${megabytes(MAX_BUNDLE_BYTES)} are allowed. Keep large data in an object store.`,
    );
  const archive = await promisify(gzip)(await tarOf(files), { level: 6 });
  if (archive.length > MAX_ARCHIVE_BYTES)
    throw new Error(
      `The bundle takes ${megabytes(archive.length)} packed; at most ${megabytes(MAX_ARCHIVE_BYTES)} are allowed. Keep large data in an object store.`,
    );
  const hash = bundleHash(
    files.map(({ path, content, executable }) => ({ path, executable, sha256: sha256(content) })),
  );
  return { hash, archive };
}

async function tarOf(files: readonly BundleFile[]): Promise<Buffer> {
  const tar = pack();
  for (const { path, content, executable } of [...files].sort(compareCodePoints))
    tar.entry({ name: path, mode: executable ? 0o755 : 0o644, mtime: new Date(0), uid: 0, gid: 0 }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const megabytes = (size: number) => `${(size / 2 ** 20).toFixed(1)} MiB`;
