/** One look of a sensor for files on this machine. */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import type { Look } from '#sdk/poke.ts';
import type { FileTarget } from '#sdk/waiting-spec.ts';

const MOST_FOUND = 1_000;
const MOST_SEEN = 100_000;

export async function lookFile({ path, minBytes, unchangedFor }: FileTarget): Promise<Look> {
  if (!isAbsolute(path)) throw new Error(`for.file.path: '${path}' is not absolute. Say where it is: /data/in.csv.`);
  const found = await filesOf(path);
  const sizes = await Promise.all(found.map(async (file) => ({ file, facts: await stat(file).catch(missing(null)) })));
  const oldest = Date.now() - unchangedFor * 1000;
  const ready = sizes.filter(({ facts }) => facts && facts.size >= minBytes && facts.mtimeMs <= oldest);
  if (ready.length > 0) return { found: true, value: ready.map(({ file }) => file).sort() };
  return { found: false, note: found.length > 0 ? 'it is not complete yet' : 'there is no such file' };
}

/** What is not there is waited for; what cannot be looked at is a failure. */
const missing =
  <T>(instead: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return instead;
    throw error;
  };

/** By name, or by pattern: `/in/*.csv`, `/in/**`. */
async function filesOf(path: string): Promise<string[]> {
  const parts = resolve(path).split('/').slice(1);
  const first = parts.findIndex((part) => /[*?]/.test(part));
  if (first < 0) return (await stat(path).catch(missing(null))) ? [path] : [];
  const found: string[] = [];
  let seen = 0;
  const walk = async (folder: string, [pattern, ...rest]: string[]): Promise<void> => {
    if (pattern === undefined || found.length >= MOST_FOUND || seen > MOST_SEEN) return;
    if (pattern === '**' && rest.length > 0) await walk(folder, rest);
    const entries = await readdir(folder, { withFileTypes: true }).catch(missing<Dirent[]>([]));
    seen += entries.length;
    for (const entry of entries) {
      const here = join(folder, entry.name);
      if (pattern === '**') {
        if (entry.isDirectory()) await walk(here, [pattern, ...rest]);
        else if (rest.length === 0) found.push(here);
      } else if (matches(entry.name, pattern)) {
        if (rest.length === 0) found.push(here);
        else if (entry.isDirectory()) await walk(here, rest);
      }
    }
  };
  await walk(`/${parts.slice(0, first).join('/')}`, parts.slice(first));
  return found.slice(0, MOST_FOUND);
}

/** `*` is any text, `?` one character. In linear time: no regular expression is made of what somebody wrote. */
function matches(name: string, pattern: string): boolean {
  let n = 0;
  let p = 0;
  let star = -1;
  let mark = 0;
  while (n < name.length) {
    if (pattern[p] === '*') [star, mark, p] = [p, n, p + 1];
    else if (pattern[p] === '?' || pattern[p] === name[n]) [n, p] = [n + 1, p + 1];
    else if (star >= 0) [p, n] = [star + 1, ++mark];
    else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
