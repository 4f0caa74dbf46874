/** Logs in a folder that all servers and schedulers see: a disk, or a PersistentVolume. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { createCompressedLogs, type ObjectFolder } from './compressed-log.ts';
import { LogGone, type LogStore } from './log-store.ts';

/** Beside the logs: what is being written. */
const DRAFTS = '.drafts';
const DRAFT_HOURS = 24;

export const createFileStore = (root: string): LogStore => createCompressedLogs(createFolder(root));

function createFolder(root: string): ObjectFolder {
  const pathOf = (key: string): string => {
    const path = normalize(join(root, key));
    if (!path.startsWith(root + sep)) throw new Error(`The key "${key}" leads out of the folder of logs.`);
    return path;
  };
  const draft = async (content: AsyncIterable<Buffer>): Promise<string> => {
    await mkdir(join(root, DRAFTS), { recursive: true, mode: 0o750 });
    const path = join(root, DRAFTS, randomUUID());
    const file = await open(path, 'wx', 0o640);
    try {
      for await (const bytes of content) await file.writeFile(bytes);
      // Its chunks are deleted next: it must outlive the machine
      await file.sync();
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
    return path;
  };

  return {
    name: 'file',
    async write(key, content) {
      const path = pathOf(key);
      const written = await draft(content);
      await mkdir(dirname(path), { recursive: true, mode: 0o750 });
      await rename(written, path);
      await syncFolder(dirname(path));
    },
    async read(key, from, to) {
      const file = await open(pathOf(key), 'r').catch((cause: NodeJS.ErrnoException) => {
        throw cause.code === 'ENOENT' ? new LogGone('file', key, { cause }) : cause;
      });
      try {
        const bytes = Buffer.alloc(to - from);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
        if (bytesRead < bytes.length) throw new Error(`The file "${key}" is shorter than it was written.`);
        return bytes;
      } finally {
        await file.close();
      }
    },
    async delete(keys) {
      for (const key of keys) {
        const path = pathOf(key);
        await rm(path, { force: true });
        await removeEmpty(dirname(path), root);
      }
    },
    async check() {
      const path = await draft(content('ok'));
      await unlink(path);
      await sweepDrafts(join(root, DRAFTS));
    },
  };
}

async function* content(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

/** The file's name is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

/** Folders of runs and DAGs that have no log left. */
async function removeEmpty(path: string, root: string): Promise<void> {
  for (let folder = path; folder !== root && folder.startsWith(root); folder = dirname(folder)) {
    const isLeft = await rmdir(folder).then(
      () => false,
      () => true,
    );
    if (isLeft) return;
  }
}

/** Of whoever died in the middle. */
async function sweepDrafts(folder: string): Promise<void> {
  const before = Date.now() - DRAFT_HOURS * 3_600_000;
  for (const name of await readdir(folder)) {
    const facts = await stat(join(folder, name)).catch(() => null);
    if (facts && facts.mtimeMs < before) await rm(join(folder, name), { force: true });
  }
}
