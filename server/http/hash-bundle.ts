import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackBundle } from '../bundles/unpack-bundle.ts';

/** The content hash of an archive, from what is in it: a name that came along is not believed. */
export async function hashBundle(archive: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
  try {
    return await unpackBundle(archive, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
