import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { createSegments, type Place } from '#server/worker/spool/segments.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-segments-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('gives back each line for as long as it is wanted, and keeps no file longer', () => {
  const step = fc.oneof(
    fc.record({ write: fc.string({ unit: 'grapheme', maxLength: 60 }) }),
    fc.record({ release: fc.nat() }),
  );
  let cases = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const dir = join(root, String(++cases));
      const segments = createSegments(dir, 200);
      const wanted: { line: string; place: Place }[] = [];
      for (const each of steps) {
        if ('write' in each) {
          const line = JSON.stringify(each.write);
          wanted.push({ line, place: segments.write(line) });
        } else if (wanted.length > 0) segments.release(wanted.splice(each.release % wanted.length, 1)[0]!.place);
        for (const { line, place } of wanted) expect(segments.read(place)).toBe(line);
      }
      const files = existsSync(dir) ? readdirSync(dir) : [];
      expect(files.length).toBe(new Set(wanted.map(({ place }) => place.segment)).size);
      expect(segments.size() > 0).toBe(wanted.length > 0);
      segments.close();
    }),
    { numRuns: 60 },
  );
});
