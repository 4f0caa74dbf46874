/** The packages that Python tasks ask for: the nearest `requirements.txt`, from the DAG file's folder up to the top of its source. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve, sep } from 'node:path';
import type { CollectedFile } from './bundle-files.ts';
import { namedFiles } from './requirement-lines.ts';

/** Its place in a bundle. */
export const REQUIREMENTS = 'requirements.txt';

/** With the files that it names by `-r` and `-c`. */
export function requirementsFiles(folder: string, top: string): CollectedFile[] {
  const nearest = requirementPlaces(folder, top).find((place) => existsSync(place));
  if (nearest === undefined) return [];
  const home = dirname(nearest);
  const found = new Map<string, CollectedFile>();
  const queue = [REQUIREMENTS];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (found.has(path)) continue;
    const source = join(home, path);
    const content = readFileSync(source);
    found.set(path, { path, source, content, executable: false });
    for (const name of namedFiles(content.toString('utf8'))) {
      const named = posix.join(posix.dirname(path), name);
      if (named.startsWith('..') || name.startsWith('/'))
        throw new Error(`${source} names ${name}, which lies outside of ${home}: put it beside it, or below.`);
      if (!existsSync(join(home, named))) throw new Error(`${source} names ${name}, but there is no such file.`);
      queue.push(named);
    }
  }
  return [...found.values()];
}

/** Where one is looked for, nearest first: a file that appears there counts. */
export function requirementPlaces(folder: string, top: string): string[] {
  const places: string[] = [];
  const [from, end] = [resolve(folder), resolve(top)];
  for (let at = from; ; at = dirname(at)) {
    places.push(join(at, REQUIREMENTS));
    if (at === end || !at.startsWith(end === '/' ? end : end + sep)) return places;
  }
}
