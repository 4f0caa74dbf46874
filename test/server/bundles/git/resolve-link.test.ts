import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveLink } from '#server/bundles/git/resolve-link.ts';

const end = (files: string[], links: { [path: string]: string }, path: string) =>
  resolveLink({ files: new Set(files), links: new Map(Object.entries(links)) }, path);

describe('resolveLink', () => {
  it('follows a link to a file, a folder, and through other links', () => {
    expect(end(['a/x'], { l: 'a/x' }, 'l')).toBe('inside');
    expect(end(['a/x'], { l: 'a' }, 'l')).toBe('inside');
    expect(end(['a/x'], { 'b/l': '../a/x' }, 'b/l')).toBe('inside');
    expect(end(['a/x'], { l: 'm', m: './a//x' }, 'l')).toBe('inside');
  });

  it('sees where a link leads out, also by way of another one', () => {
    expect(end(['x'], { l: '/etc/passwd' }, 'l')).toBe('outside');
    expect(end(['x'], { l: '../x' }, 'l')).toBe('outside');
    expect(end(['x'], { 'a/l': '../../x' }, 'a/l')).toBe('outside');
    // By name it stays in: a/b/up/../../x is a/x; but `up` leads to the top
    expect(end(['a/x'], { 'a/b/up': '../..', 'a/b/l': 'up/../../x' }, 'a/b/l')).toBe('outside');
    expect(end(['x'], { l: 'nothing/../../y' }, 'l')).toBe('outside');
  });

  it('knows what leads nowhere and in a circle', () => {
    expect(end(['x'], { l: 'y' }, 'l')).toBe('nowhere');
    expect(end(['x'], { l: 'x/y' }, 'l')).toBe('nowhere');
    expect(end([], { l: 'm', m: 'l' }, 'l')).toBe('circle');
  });

  it('says "inside" of nothing that the kernel follows out of the tree', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const target = fc
      .array(fc.constantFrom('a', 'b', 'c', '..', '.'), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join('/'));
    const root = mkdtempSync(join(tmpdir(), 'millrace-links-'));
    let count = 0;
    try {
      fc.assert(
        fc.property(fc.array(path, { maxLength: 4 }), fc.dictionary(path, target, { maxKeys: 4 }), (files, links) => {
          const tree = join(root, `x/y/${++count}/tree`);
          mkdirSync(tree, { recursive: true });
          const put = (at: string, make: (absolute: string) => void): boolean => {
            try {
              mkdirSync(dirname(join(tree, at)), { recursive: true });
              make(join(tree, at));
              return true;
            } catch {
              return false;
            }
          };
          const made = files.filter((at) => put(at, (absolute) => writeFileSync(absolute, '', { flag: 'wx' })));
          const madeLinks = new Map(
            Object.entries(links).filter(
              ([at, to]) =>
                realDirOf(tree, at) === dirname(join(tree, at)) && put(at, (absolute) => symlinkSync(to, absolute)),
            ),
          );
          for (const at of madeLinks.keys()) {
            const said = resolveLink({ files: new Set(made), links: madeLinks }, at);
            const real = realOf(join(tree, at));
            if (said === 'inside') expect([at, real?.startsWith(tree)]).toEqual([at, true]);
            else if (said === 'outside')
              expect([at, real !== null && (real + '/').startsWith(`${tree}/`)]).toEqual([at, false]);
          }
        }),
        { numRuns: 300 },
      );
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});

const realOf = (path: string): string | null => {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
};
/** A link is made only where no other one is on the way: a tree of Git has none there. */
function realDirOf(tree: string, at: string): string | null {
  mkdirSync(tree, { recursive: true });
  for (let dir = dirname(join(tree, at)); dir.length >= tree.length; dir = dirname(dir)) {
    const real = realOf(dir);
    if (real !== null) return real === dir ? dirname(join(tree, at)) : null;
  }
  return null;
}
