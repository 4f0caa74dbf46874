import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogChunk } from '#sdk/protocol.ts';
import { createLogSpool, type LogSpoolDeps } from '#server/worker/spool/log-spool.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-spool-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const chunk = (n: number): LogChunk => ({ dispatchId: 'd', offset: n * 100, body: `${n} ü `.padEnd(99, 'x') + '\n' });
const chunks = (count: number) => Array.from({ length: count }, (_, n) => chunk(n));

/** A log whose service is away until it is said to be there. */
function awayLog(name: string, options: Partial<LogSpoolDeps> = {}) {
  const dir = join(root, name);
  const got: LogChunk[] = [];
  const full: boolean[] = [];
  const errors: unknown[] = [];
  let isThere = false;
  const log = createLogSpool({
    dir,
    limit: Infinity,
    mostHeld: 1_000,
    append: (some) => (isThere ? Promise.resolve(void got.push(...some)) : Promise.reject(new Error('away'))),
    onFull: (value) => full.push(value),
    onError: (error) => errors.push(error),
    ...options,
  });
  const bytes = () => readdirSync(dir).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
  return { dir, log, got, full, errors, bytes, comeBack: () => (isThere = true) };
}

describe('logs while the service is away', () => {
  it('go to files, and arrive whole and in order', async () => {
    const { dir, log, got, full, bytes, comeBack } = awayLog('order');
    const all = chunks(500);
    all.slice(0, 400).forEach(log.push);
    expect(bytes()).toBeGreaterThan(40_000);
    const flushed = log.flushed('d');
    comeBack();
    await waitFor(() => got.length > 20, { what: 'the first pieces' });
    all.slice(400).forEach(log.push);
    await flushed;
    await log.flushed('d');
    expect(got).toEqual(all);
    expect(full).not.toContain(true);
    expect(readdirSync(dir)).toEqual([]);
    expect(log.isEmpty()).toBe(true);
  });

  it('that are few go there too when they are not taken at once, for whoever comes after', async () => {
    const { log, bytes, dir } = awayLog('late', { mostHeld: 1_000_000, lateMs: 40 });
    log.push(chunk(0));
    expect(existsSync(dir)).toBe(false);
    await waitFor(() => existsSync(dir) && bytes() > 100, { what: 'a file' });
    log.push(chunk(1));
    expect(bytes()).toBeGreaterThan(200);
  });

  it('make tasks wait at the limit of the files, until there is room', async () => {
    const { log, got, full, comeBack } = awayLog('limit', { limit: 5_000 });
    const all = chunks(100);
    all.forEach(log.push);
    expect(full).toEqual([true]);
    comeBack();
    await log.flushed('d');
    expect(got).toEqual(all);
    expect(full).toEqual([true, false]);
  });

  it('make tasks wait when there is no room on the disk, and it is said once', async () => {
    writeFileSync(join(root, 'taken'), '');
    const { log, got, full, errors, comeBack } = awayLog('taken/spool');
    const all = chunks(30);
    all.forEach(log.push);
    expect(full).toEqual([true]);
    const said = errors.map(String).filter((text) => text.includes('cannot be written'));
    expect(said).toHaveLength(1);
    comeBack();
    await log.flushed('d');
    expect(got).toEqual(all);
    expect(full).toEqual([true, false]);
  });

  it('are written down when the process leaves', () => {
    const { log, dir, bytes } = awayLog('left', { mostHeld: 1_000_000 });
    chunks(3).forEach(log.push);
    expect(existsSync(dir)).toBe(false);
    log.leave();
    expect(bytes()).toBeGreaterThan(300);
  });
});

it('nothing touches the disk while the service answers', async () => {
  const { log, got, dir, comeBack } = awayLog('answers');
  comeBack();
  for (const each of chunks(200)) {
    log.push(each);
    await log.flushed('d');
  }
  log.leave();
  expect(got).toHaveLength(200);
  expect(existsSync(dir)).toBe(false);
});
