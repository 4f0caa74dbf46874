import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { bundleHash, MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, sha256 } from './pack-bundle.ts';

export interface UnpackLimits {
  bytes: number;
  files: number;
}

/** Why a path of an archive may not be written, or null. Backslashes and drive letters matter on Windows only, but are never meant. */
function pathProblem(path: string): string | null {
  if (path === '' || path.includes('\0')) return 'is no file name';
  if (path.startsWith('/') || path.includes('\\') || /^[A-Za-z]:/.test(path)) return 'is not a relative path';
  if (path.split('/').some((part) => part === '..' || part === '.' || part === '')) return 'leads out of the bundle';
  return null;
}

/** Unpacks an archive into `dir`, which must be empty, and returns the hash of what was written. Anything but plain files is refused. */
export async function unpackBundle(
  archive: Buffer,
  dir: string,
  limits: UnpackLimits = { bytes: MAX_BUNDLE_BYTES, files: MAX_BUNDLE_FILES },
): Promise<string> {
  const written: { path: string; sha256: string; executable: boolean }[] = [];
  let bytes = 0;
  const tar = Readable.from([archive])
    .pipe(createGunzip().on('error', (error) => tar.destroy(error)))
    .pipe(extract());
  for await (const entry of tar) {
    const { name, type, mode = 0 } = entry.header;
    const problem = type === 'file' ? pathProblem(name) : `is a ${type ?? 'thing'}, and a bundle holds files only`;
    if (problem)
      throw new Error(`The bundle's entry '${name}' ${problem}. It was not made by Millrace; deploy the DAG again.`);
    const chunks: Buffer[] = [];
    // The size in the header is not trusted: what arrives is counted, so a small archive cannot fill the disk.
    for await (const chunk of entry) {
      bytes += (chunk as Buffer).length;
      if (bytes > limits.bytes) throw new Error(`The bundle unpacks to more than ${limits.bytes} bytes.`);
      chunks.push(chunk as Buffer);
    }
    if (written.length >= limits.files) throw new Error(`The bundle holds more than ${limits.files} files.`);
    const content = Buffer.concat(chunks);
    const executable = (mode & 0o100) !== 0;
    await mkdir(dirname(join(dir, name)), { recursive: true });
    // wx: a second entry of the same name is refused, not followed.
    await writeFile(join(dir, name), content, { flag: 'wx', mode: executable ? 0o555 : 0o444 });
    written.push({ path: name, sha256: sha256(content), executable });
  }
  return bundleHash(written);
}
