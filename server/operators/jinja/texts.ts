/** Work on texts that methods and filters share. */

export type Side = 'left' | 'right' | 'both';

/** Whether a character of it takes two units of JavaScript's. */
export const hasPairs = (text: string): boolean => /[\ud800-\udbff]/.test(text);

/** In code points. */
export function lengthOf(text: string): number {
  let length = text.length;
  if (hasPairs(text)) for (const character of text) length -= character.length - 1;
  return length;
}

/** The code point at this place, from the end when it is negative. */
export function characterAt(text: string, place: number): string | undefined {
  if (!hasPairs(text)) return text[place < 0 ? place + text.length : place];
  let left = place < 0 ? place + lengthOf(text) : place;
  if (left >= 0) for (const character of text) if (left-- === 0) return character;
  return undefined;
}

/** Without tags and comments, white space made single spaces. One that is not closed stays. */
export function stripTags(text: string): string {
  const kept: string[] = [];
  let at = 0;
  let hasComments = true;
  for (let open = text.indexOf('<'); open >= 0; open = text.indexOf('<', at)) {
    const isComment: boolean = hasComments && text.startsWith('<!--', open);
    const end: number = isComment ? text.indexOf('-->', open + 4) : -1;
    if (isComment && end < 0) hasComments = false;
    const close: number = end >= 0 ? end + 2 : text.indexOf('>', open);
    if (close < 0) break;
    kept.push(text.slice(at, open));
    at = close + 1;
  }
  kept.push(text.slice(at));
  return kept.join('').replace(/\s+/g, ' ').trim();
}

/** Without these characters at its ends; null: white space. */
export function strip(text: string, characters: string | null, side: Side): string {
  if (characters === null) return side === 'left' ? text.trimStart() : side === 'right' ? text.trimEnd() : text.trim();
  const set = new Set(characters);
  const letters = [...text];
  let [start, end] = [0, letters.length];
  if (side !== 'right') while (start < end && set.has(letters[start] ?? '')) start += 1;
  if (side !== 'left') while (end > start && set.has(letters[end - 1] ?? '')) end -= 1;
  return letters.slice(start, end).join('');
}

export const capitalize = (text: string): string => {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
};

/** As str.title(): a letter after anything but a letter is large. */
export const titleCase = (text: string): string => text.replace(/\p{L}+/gu, (word) => capitalize(word));

export const swapCase = (text: string): string =>
  [...text].map((letter) => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase())).join('');

/** The word at one end and what is on the other side of it, without the white space between. */
function lastWord(text: string): [word: string, rest: string] {
  let at = text.length;
  while (at > 0 && text.charAt(at - 1).trim() !== '') at -= 1;
  return [text.slice(at), text.slice(0, at).trimEnd()];
}
function firstWord(text: string): [word: string, rest: string] {
  let at = 0;
  while (at < text.length && text.charAt(at).trim() !== '') at += 1;
  return [text.slice(0, at), text.slice(at).trimStart()];
}

/** At most so many words from one end; the rest keeps its own white space. */
export function restOfWords(text: string, most: number, fromRight: boolean): string[] {
  const words: string[] = [];
  let rest = fromRight ? text.trimEnd() : text.trimStart();
  while (words.length < most) {
    const [word, before] = fromRight ? lastWord(rest) : firstWord(rest);
    if (before === '') break;
    words.push(word);
    rest = before;
  }
  rest = fromRight ? rest.trimEnd() : rest;
  return fromRight ? [rest, ...words.reverse()] : [...words, rest];
}

/** By code points, not by UTF-16 units. */
export function compareTexts(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let i = 0;
  while (i < shorter && a.charCodeAt(i) === b.charCodeAt(i)) i += 1;
  if (i === shorter) return a.length - b.length;
  // The halves of one pair may be what differs
  const start = i > 0 && /[\ud800-\udbff]/.test(a.charAt(i - 1)) ? i - 1 : i;
  return (a.codePointAt(start) ?? 0) - (b.codePointAt(start) ?? 0);
}

/** Without an empty last line. */
export function splitLines(text: string, keepEnds = false): string[] {
  const lines =
    text.match(
      /[^\n\r\v\f\u0085\u2028\u2029]*(?:\r\n|[\n\r\v\f\u0085\u2028\u2029])|[^\n\r\v\f\u0085\u2028\u2029]+$/g,
    ) ?? [];
  return keepEnds ? lines : lines.map((line) => line.replace(/(?:\r\n|[\n\r\v\f\u0085\u2028\u2029])$/, ''));
}

/** As str.center(): the odd one goes left when the width is odd. */
export function center(text: string, width: number, fill = ' '): string {
  const missing = Math.max(0, width - lengthOf(text));
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

/** Lines of at most `width` characters, broken at spaces, and after hyphens within words. */
export function wrapLine(line: string, width: number, breakLong: boolean, onHyphens: boolean): string[] {
  const chunks = line
    .split(/(\s+)/)
    .flatMap((chunk) => (onHyphens && !/^\s/.test(chunk) ? hyphenated(chunk) : [chunk]))
    .filter((chunk) => chunk !== '')
    .reverse();
  const lines: string[] = [];
  while (chunks.length > 0) {
    const current: string[] = [];
    let length = 0;
    if (lines.length > 0 && /^\s+$/.test(chunks.at(-1) ?? '')) chunks.pop();
    for (let next = chunks.at(-1); next !== undefined && length + next.length <= width; next = chunks.at(-1)) {
      current.push(chunks.pop() ?? '');
      length += next.length;
    }
    const long = chunks.at(-1);
    if (long !== undefined && long.length > width) {
      const room = Math.max(1, width - length);
      if (breakLong) {
        current.push(long.slice(0, room));
        chunks[chunks.length - 1] = long.slice(room);
      } else if (current.length === 0) current.push(chunks.pop() ?? '');
    }
    if (/^\s+$/.test(current.at(-1) ?? '')) current.pop();
    if (current.length > 0) lines.push(current.join(''));
  }
  return lines;
}

const hyphenated = (word: string): string[] => word.match(/(?:[^-]*[\p{L}\d]-(?=[\p{L}]))+?|.+/gu) ?? [word];

const HTML: { [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => HTML[character] ?? '');

/** As urllib's quote: letters, digits and _.-~ stay; `/` too, but in a query. */
export function urlQuote(text: string, inQuery: boolean): string {
  const quoted = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return inQuery ? quoted.replaceAll('%20', '+') : quoted.replaceAll('%2F', '/');
}
