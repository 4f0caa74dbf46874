import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { afterEach, describe, expect, test } from 'vitest';
import { createBundleCache } from '#server/bundles/bundle-cache.ts';
import { packBundle, type BundleFile } from '#server/bundles/pack-bundle.ts';
import { unpackBundle } from '#server/bundles/unpack-bundle.ts';
import { waitFor } from '../helpers/wait-for.ts';

const folders: string[] = [];
const folder = async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  folders.push(dir);
  return dir;
};
afterEach(async () => {
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true });
});

const file = (path: string, content: string, executable = false): BundleFile => ({
  path,
  content: Buffer.from(content),
  executable,
});
const files = [file('dag.mjs', 'export {}'), file('lib/run.sh', 'echo', true), file('data/é.csv', 'a,b')];

/** An archive that our own packer would never make. */
async function archiveOf(...entries: [Partial<Header> & { name: string }, string?][]): Promise<Buffer> {
  const tar = pack();
  for (const [header, content] of entries) tar.entry(header, content ?? '');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

describe('a bundle', () => {
  test('is the same for the same files, in whatever order', async () => {
    const [one, two] = [await packBundle(files), await packBundle([...files].reverse())];
    expect(two.hash).toBe(one.hash);
    expect(two.archive.equals(one.archive)).toBe(true);
  });
  test.each([
    ['a content', [file('a', '1')], [file('a', '2')]],
    ['a name', [file('a', '1')], [file('b', '1')]],
    ['a permission', [file('a', '1')], [file('a', '1', true)]],
    ['a border between files', [file('a', '1'), file('b', '')], [file('a', ''), file('b', '1')]],
  ])('has another hash when %s differs', async (_what, one, two) => {
    expect((await packBundle(one)).hash).not.toBe((await packBundle(two)).hash);
  });
  test('comes back as it was', async () => {
    const dir = await folder();
    const { hash, archive } = await packBundle(files);
    expect(await unpackBundle(archive, dir)).toBe(hash);
    expect(await readFile(join(dir, 'data/é.csv'), 'utf8')).toBe('a,b');
    expect((await stat(join(dir, 'lib/run.sh'))).mode & 0o777).toBe(0o555);
    expect((await stat(join(dir, 'dag.mjs'))).mode & 0o777).toBe(0o444);
  });
  test('of too many files is refused when it is made', async () => {
    await expect(packBundle(Array.from({ length: 5001 }, (_, at) => file(`f${at}`, '')))).rejects.toThrow(
      /5001 files; at most 5000/,
    );
  });
});

describe('unpacking refuses', () => {
  test.each([
    ['an absolute path', { name: '/etc/passwd' }, /'\/etc\/passwd' is not a relative path/],
    ['a path upwards', { name: 'a/../../b' }, /leads out of the bundle/],
    ['a backslash', { name: 'a\\..\\b' }, /is not a relative path/],
    [
      'a symbolic link',
      { name: 'link', type: 'symlink', linkname: '/etc' },
      /is a symlink, and a bundle holds files only/,
    ],
    ['a hard link', { name: 'link', type: 'link', linkname: '/etc/passwd' }, /is a link, and/],
    ['a folder', { name: 'dir', type: 'directory' }, /is a directory, and/],
    ['a device', { name: 'dev', type: 'character-device' }, /is a character-device, and/],
  ] satisfies [string, Partial<Header> & { name: string }, RegExp][])('%s', async (_what, header, message) => {
    const dir = await folder();
    await expect(archiveOf([header]).then((archive) => unpackBundle(archive, dir))).rejects.toThrow(message);
    expect(await readdir(dir)).toEqual([]);
  });
  test('a second file of the same name', async () => {
    const archive = await archiveOf([{ name: 'a' }, '1'], [{ name: 'a' }, '2']);
    await expect(unpackBundle(archive, await folder())).rejects.toThrow(/EEXIST/);
  });
  test('more bytes or files than allowed, however small the archive is', async () => {
    const zeros = await archiveOf([{ name: 'zeros' }, '0'.repeat(5_000_000)]);
    expect(zeros.length).toBeLessThan(10_000);
    await expect(unpackBundle(zeros, await folder(), { bytes: 1_000_000, files: 10 })).rejects.toThrow(
      /more than 1000000 bytes/,
    );
    const many = await archiveOf([{ name: 'a' }, '1'], [{ name: 'b' }, '2']);
    await expect(unpackBundle(many, await folder(), { bytes: 1000, files: 1 })).rejects.toThrow(/more than 1 files/);
  });
  test('what is no archive', async () => {
    await expect(unpackBundle(Buffer.from('hello'), await folder())).rejects.toThrow(/incorrect header/);
    const { archive } = await packBundle([file('a', 'x'.repeat(10_000))]);
    await expect(unpackBundle(archive.subarray(0, archive.length - 20), await folder())).rejects.toThrow();
  });
});

describe('the cache', () => {
  const counting = (archive: Buffer) => {
    const asked: string[] = [];
    return { asked, fetch: (hash: string) => Promise.resolve(asked.push(hash)).then(() => archive) };
  };
  test('fetches a bundle once, however many ask, and keeps it for the next process', async () => {
    const dir = await folder();
    const { hash, archive } = await packBundle(files);
    const source = counting(archive);
    const cache = createBundleCache({ dir, fetch: source.fetch });
    const dirs = await Promise.all([cache.dirOf(hash), cache.dirOf(hash), cache.dirOf(hash)]);
    expect(new Set(dirs)).toEqual(new Set([join(dir, hash)]));
    expect(await readFile(join(dir, hash, 'dag.mjs'), 'utf8')).toBe('export {}');
    await createBundleCache({ dir, fetch: source.fetch }).dirOf(hash);
    expect(source.asked).toEqual([hash]);
  });
  test('two processes that unpack at once agree', async () => {
    const dir = await folder();
    const { hash, archive } = await packBundle(files);
    const caches = [1, 2, 3].map(() => createBundleCache({ dir, fetch: counting(archive).fetch }));
    await Promise.all(caches.map((cache) => cache.dirOf(hash)));
    expect(await readdir(dir)).toEqual([hash]);
  });
  test('never shows a bundle whose files are not those of its hash', async () => {
    const dir = await folder();
    const { hash } = await packBundle(files);
    const { archive } = await packBundle([file('dag.mjs', 'evil()')]);
    const cache = createBundleCache({ dir, fetch: counting(archive).fetch });
    await expect(cache.dirOf(hash)).rejects.toThrow(/is damaged: its files hash to/);
    expect(await readdir(dir)).toEqual([]);
  });
  test('stays within its size: what was used longest ago goes, never what a task holds, here or in another process', async () => {
    const dir = await folder();
    const bundles = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => packBundle([file('dag.mjs', name.repeat(1000))])),
    );
    const [a, b, c, d] = bundles.map(({ hash }) => hash) as [string, string, string, string];
    const archives = new Map(bundles.map(({ hash, archive }) => [hash, archive]));
    const errors: unknown[] = [];
    const open = () =>
      createBundleCache({
        ...{ dir, limit: 2500, lingerMs: 0, onError: (error) => void errors.push(error) },
        fetch: async (hash) => archives.get(hash)!,
      });
    const [here, there] = [open(), open()];
    const kept = async () => (await readdir(dir)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    await here.dirOf(a, 'task 1');
    await here.dirOf(b, 'task 2');
    here.release('task 2');
    await here.dirOf(c, 'task 3');
    await waitFor(async () => expect((await kept()).sort()).toEqual([a, c].sort()) ?? true);
    // Held by two: it stays until the second one has ended
    await there.dirOf(c, 'task 4');
    here.release('task 1');
    await here.dirOf(d, 'task 5');
    await waitFor(async () => expect((await kept()).sort()).toEqual([c, d].sort()) ?? true);
    expect(await readFile(join(await here.dirOf(a, 'task 6'), 'dag.mjs'), 'utf8')).toBe('a'.repeat(1000));
    expect(errors).toEqual([]);
  });
  test('asks again after a failure', async () => {
    const dir = await folder();
    const { hash, archive } = await packBundle(files);
    let attempts = 0;
    const cache = createBundleCache({
      dir,
      fetch: () => (attempts++ === 0 ? Promise.reject(new Error('offline')) : Promise.resolve(archive)),
    });
    await expect(cache.dirOf(hash)).rejects.toThrow('offline');
    expect(await cache.dirOf(hash)).toBe(join(dir, hash));
  });
  test('refuses what is no hash', async () => {
    const cache = createBundleCache({ dir: await folder(), fetch: () => Promise.reject(new Error('asked')) });
    await expect(cache.dirOf('../../etc')).rejects.toThrow(/is not the hash of a bundle/);
  });
  test('does not take a half-written folder of a killed process for a bundle', async () => {
    const dir = await folder();
    const { hash, archive } = await packBundle(files);
    await writeFile(join(dir, '.half'), '');
    const target = await createBundleCache({ dir, fetch: counting(archive).fetch }).dirOf(hash);
    expect((await readdir(target)).sort()).toEqual(['dag.mjs', 'data', 'lib']);
  });
});
