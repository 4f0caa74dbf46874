import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createArtifactCache } from '#server/worker/artifact-cache.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const KIB = 1024;
const HOUR = 3_600_000;

function makeCache({ limit = 100 * KIB, dir = mkdtempSync(join(tmpdir(), 'millrace-results-')) } = {}) {
  const contents = new Map<string, Buffer>();
  const fetched: string[] = [];
  const clock = { now: 0 };
  const cache = createArtifactCache({
    dir,
    limit,
    now: () => clock.now,
    fetch(dispatchId, hash) {
      fetched.push(dispatchId);
      const content = contents.get(hash);
      return content ? Promise.resolve(pieces(content)) : Promise.reject(new Error('There is no such result.'));
    },
  });
  folders.push(dir);
  return {
    cache,
    clock,
    fetched,
    dir,
    /** A result of so many KiB, told from others by its letter. */
    result(letter: string, kib = 40) {
      const content = Buffer.alloc(kib * KIB, letter);
      const hash = createHash('sha256').update(content).digest('hex');
      contents.set(hash, content);
      return { hash, bytes: content.length };
    },
    forget: ({ hash }: { hash: string }) => contents.set(hash, Buffer.from('something else')),
  };
}

async function* pieces(content: Buffer) {
  for (let at = 0; at < content.length; at += 10_000) yield content.subarray(at, at + 10_000);
}

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((dir) => rmSync(dir, { recursive: true, force: true })));
const gone = (path: string) => waitFor(() => !existsSync(path), { what: `the end of ${path}` });

describe('the results that a worker keeps', () => {
  it('are fetched once, however many tasks ask, at once or later', async () => {
    const { cache, result, fetched } = makeCache();
    const a = result('a');
    const [first, second] = await Promise.all([cache.fileOf('1', a), cache.fileOf('2', a)]);
    cache.release('1');
    cache.release('2');
    expect([second, await cache.fileOf('3', a)]).toEqual([first, first]);
    expect(readFileSync(first, 'utf8')).toBe('a'.repeat(40 * KIB));
    expect(fetched).toEqual(['1']);
  });

  it('go beyond the limit: first what was asked for longest ago', async () => {
    const { cache, result } = makeCache({ limit: 100 * KIB });
    const [a, b, c] = [result('a'), result('b'), result('c')];
    const path = { a: await cache.fileOf('1', a), b: await cache.fileOf('1', b) };
    await cache.fileOf('1', a);
    cache.release('1');
    const third = await cache.fileOf('2', c);
    await gone(path.b);
    expect([existsSync(path.a), existsSync(third)]).toEqual([true, true]);
  });

  it('stay beyond the limit as long as a task that has asked for them runs', async () => {
    const { cache, result } = makeCache({ limit: 50 * KIB });
    const first = await cache.fileOf('1', result('a'));
    const second = await cache.fileOf('2', result('b'));
    expect([existsSync(first), existsSync(second)]).toEqual([true, true]);
    cache.release('1');
    await gone(first);
    expect(existsSync(second)).toBe(true);
  });

  it('go when nobody has asked for them for a day', async () => {
    const { cache, result, clock } = makeCache();
    const first = await cache.fileOf('1', result('a', 1));
    cache.release('1');
    clock.now += 25 * HOUR;
    await cache.fileOf('2', result('b', 1));
    await gone(first);
  });

  it('are fetched again when they are asked for again', async () => {
    const { cache, result, fetched } = makeCache({ limit: 50 * KIB });
    const [a, b] = [result('a'), result('b')];
    for (const [dispatchId, artifact] of [['1', a] as const, ['2', b] as const, ['3', a] as const]) {
      const path = await cache.fileOf(dispatchId, artifact);
      expect(readFileSync(path, 'utf8')[0]).toBe(artifact === a ? 'a' : 'b');
      cache.release(dispatchId);
    }
    expect(fetched).toEqual(['1', '2', '3']);
  });

  it('are not kept when they arrive damaged or not at all, and the next one asks again', async () => {
    const { cache, result, forget, fetched, dir } = makeCache();
    const a = result('a');
    forget(a);
    await expect(cache.fileOf('1', a)).rejects.toThrow(`The result ${a.hash.slice(0, 12)} arrived damaged.`);
    await expect(cache.fileOf('1', { hash: 'f'.repeat(64), bytes: 1 })).rejects.toThrow('There is no such result.');
    result('a');
    expect(readFileSync(await cache.fileOf('1', a), 'utf8')).toHaveLength(40 * KIB);
    expect(fetched).toHaveLength(3);
    await waitFor(() => readdirSync(join(dir, readdirSync(dir)[0]!)).length === 1, { what: 'one file alone' });
    await expect(cache.fileOf('1', { hash: '../../etc/passwd', bytes: 1 })).rejects.toThrow('is not the hash');
  });

  it('are fetched again when somebody has deleted them', async () => {
    const { cache, result, dir } = makeCache();
    const a = result('a');
    await cache.fileOf('1', a);
    rmSync(join(dir, readdirSync(dir)[0]!), { recursive: true });
    expect(existsSync(await cache.fileOf('2', a))).toBe(true);
  });

  it('are fetched again after their folder could not be made', async () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'millrace-results-')), 'cache');
    writeFileSync(dir, 'in the way');
    const { cache, result } = makeCache({ dir });
    const a = result('a');
    await expect(cache.fileOf('1', a)).rejects.toThrow(/ENOTDIR|EEXIST/);
    rmSync(dir);
    expect(existsSync(await cache.fileOf('1', a))).toBe(true);
  });

  it('are not waited for by a task that has ended meanwhile', async () => {
    const { cache, result } = makeCache();
    const asked = cache.fileOf('1', result('a'));
    cache.release('1');
    await expect(asked).rejects.toThrow('The task has ended.');
  });

  it('of a process that was killed are removed by the next, those of a living one are not', async () => {
    const dead = makeCache();
    const nobody = join(dead.dir, '4194303-00000000-0000-4000-8000-000000000000');
    const before = join(dead.dir, `${process.pid}-00000000-0000-4000-8000-000000000000`);
    for (const folder of [nobody, before]) {
      mkdirSync(folder);
      writeFileSync(join(folder, 'x.json'), '{}');
    }
    const kept = await dead.cache.fileOf('1', dead.result('a'));
    const other = makeCache({ dir: dead.dir });
    await other.cache.fileOf('1', other.result('b'));
    expect([existsSync(nobody), existsSync(before), existsSync(kept)]).toEqual([false, false, true]);
  });
});
