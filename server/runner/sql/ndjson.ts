/** Lines of JSON objects, read without losing a digit: numbers and nested values stay as they are written. */

/** The members of one object, as COPY wants them: null is NULL, texts as they are, everything else as its JSON. */
export function readJsonLine(line: string, number: number): Map<string, string | null> {
  let whole: unknown;
  try {
    whole = JSON.parse(line);
  } catch (error) {
    throw new Error(`Line ${number} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole))
    throw new Error(`Line ${number} is not a JSON object.`);
  return membersOf(line);
}

const PLAIN = /[^\s,{}[\]":]+/y;

/** Of a text that is known to be a JSON object. */
function membersOf(line: string): Map<string, string | null> {
  const members = new Map<string, string | null>();
  let at = skipBlank(line, line.indexOf('{') + 1);
  while (line[at] !== '}') {
    const key = line.slice(at, endOfString(line, at));
    at = skipBlank(line, skipBlank(line, at + key.length) + 1);
    const end = endOfValue(line, at);
    const written = line.slice(at, end);
    members.set(
      JSON.parse(key) as string,
      written === 'null' ? null : written.startsWith('"') ? (JSON.parse(written) as string) : written,
    );
    at = skipBlank(line, end);
    if (line[at] === ',') at = skipBlank(line, at + 1);
  }
  return members;
}

function skipBlank(line: string, from: number): number {
  let at = from;
  while (at < line.length && line.charCodeAt(at) <= 32) at += 1;
  return at;
}

/** Beyond the quote that ends it. No regular expression: one that steps over escapes fails at texts of some megabytes. */
function endOfString(line: string, from: number): number {
  for (let at = line.indexOf('"', from + 1); at >= 0; at = line.indexOf('"', at + 1)) {
    let slashes = 0;
    while (line[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at + 1;
  }
  return line.length;
}

function endOfPlain(line: string, from: number): number {
  PLAIN.lastIndex = from;
  return from + (PLAIN.exec(line)?.[0].length ?? 0);
}

function endOfValue(line: string, from: number): number {
  const first = line[from];
  if (first === '"') return endOfString(line, from);
  if (first !== '{' && first !== '[') return endOfPlain(line, from);
  let depth = 0;
  for (let at = from; at < line.length;) {
    const c = line[at];
    if (c === '"') at = endOfString(line, at);
    else {
      if (c === '{' || c === '[') depth += 1;
      else if (c === '}' || c === ']') depth -= 1;
      at += 1;
      if (depth === 0) return at;
    }
  }
  return line.length;
}

/** Lines of a text that comes in pieces, without the empty ones. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<{ line: string; number: number }> {
  let rest = '';
  let number = 0;
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      number += 1;
      if (line.trim() !== '') yield { line, number };
    }
  }
  if (rest.trim() !== '') yield { line: rest, number: number + 1 };
}
