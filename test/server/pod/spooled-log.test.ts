import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogChunk } from '#sdk/protocol.ts';
import { createSpooledLog } from '#server/pod/spooled-log.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const dir = mkdtempSync(join(tmpdir(), 'millrace-spool-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const chunk = (n: number): LogChunk => ({ dispatchId: 'd', offset: n * 100, body: `${n} ü `.padEnd(99, 'x') + '\n' });

/** A log whose service is away until it is said to be there. */
function awayLog(file: string) {
  const got: LogChunk[] = [];
  const full: boolean[] = [];
  const errors: unknown[] = [];
  let isThere = false;
  const log = createSpooledLog({
    file,
    mostHeld: 1_000,
    append: (chunks) => (isThere ? Promise.resolve(void got.push(...chunks)) : Promise.reject(new Error('away'))),
    onFull: (value) => full.push(value),
    onError: (error) => errors.push(error),
  });
  return { log, got, full, errors, comeBack: () => (isThere = true) };
}

describe('the log of a task in a Pod', () => {
  it('goes to a file while the service is away, and arrives whole and in order', async () => {
    const file = join(dir, 'spool');
    const { log, got, full, comeBack } = awayLog(file);
    const all = Array.from({ length: 500 }, (_, n) => chunk(n));
    all.slice(0, 400).forEach(log.push);
    expect(statSync(file).size).toBeGreaterThan(39_000);
    const flushed = log.flushed('d');
    comeBack();
    await waitFor(() => got.length > 20, { what: 'the first pieces' });
    all.slice(400).forEach(log.push);
    await flushed;
    await log.flushed('d');
    expect(got).toEqual(all);
    expect(full).not.toContain(true);
    expect(existsSync(file)).toBe(false);
  });

  it('has the task wait when there is no room for the file', async () => {
    const { log, got, full, errors, comeBack } = awayLog(join(dir, 'nowhere/spool'));
    const all = Array.from({ length: 30 }, (_, n) => chunk(n));
    all.forEach(log.push);
    expect(full).toContain(true);
    expect(String(errors[0])).toContain('ENOENT');
    comeBack();
    await log.flushed('d');
    expect(got).toEqual(all);
    expect(full.at(-1)).toBe(false);
  });
});
