/** What the lines of a requirements.txt say, as far as it matters before pip reads them. */

/** Without comments; a line that ends in a backslash goes on in the next. */
const linesOf = (text: string): string[] =>
  text
    .replace(/^\uFEFF/, '')
    .replace(/\\\r?\n/g, ' ')
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(Boolean);

const NAMED = /(?:^|\s)(?:-[rc]\s*|--(?:requirement|constraint)(?:\s+|=))(\S+)/g;
const PLACES = /(?:^|\s)(?:-[rcef]\s*|--(?:requirement|constraint|editable|find-links)(?:\s+|=))(\S+)/g;
const ARCHIVE = /\.(whl|zip|tar\.gz)$/;

const isUrl = (name: string) => /^[a-z][a-z\d+.-]*:/i.test(name) && !/^file:(?!\/)/.test(name);
const isRelative = (name: string) => !isUrl(name) && !name.startsWith('/');

const found = (line: string, pattern: RegExp): string[] => [...line.matchAll(pattern)].map(([, name]) => name ?? '');

/** Files that it includes, or takes constraints from. */
export const namedFiles = (text: string): string[] =>
  linesOf(text).flatMap((line) => found(line, NAMED).filter((name) => !isUrl(name)));

/** Packages that it asks for by itself. */
export const countPackages = (text: string): number =>
  linesOf(text).filter((line) => !line.startsWith('-') || /^(-e|--editable)\b/.test(line)).length;

/** What pip makes of it depends on other files too, from where it stands: it names some, or a package by its folder. */
export const readsFiles = (text: string): boolean => linesOf(text).some(readsFile);

function readsFile(line: string): boolean {
  if (found(line, PLACES).some(isRelative)) return true;
  if (line.startsWith('-')) return false;
  const [, url] = /^[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*(\S+)/.exec(line) ?? [];
  const place = url ?? line.split(/[\s;]/)[0] ?? '';
  return (
    isRelative(place) && (place.includes('/') || place.startsWith('.') || ARCHIVE.test(place) || url !== undefined)
  );
}
