/** What the database cannot keep. */

export interface Unstorable {
  /** Keys and indexes down to the text. */
  path: string[];
  message: string;
}

/** The first text of a JSON value, its keys included, that cannot be stored; null: all of it can. Takes a value of any depth. */
export function findUnstorable(value: unknown): Unstorable | null {
  const open: { at: unknown; path: string[] }[] = [{ at: value, path: [] }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { at, path } = next;
    const message = typeof at === 'string' ? textProblem(at) : null;
    if (message !== null) return { path, message };
    if (typeof at !== 'object' || at === null) continue;
    for (const [key, inner] of Object.entries(at).toReversed()) {
      const problem = textProblem(key);
      if (problem !== null) return { path, message: `In a name: ${problem}` };
      open.push({ at: inner, path: [...path, key] });
    }
  }
  return null;
}

/** One without the other of its pair. */
const CUT = /\p{Surrogate}/u;

function textProblem(text: string): string | null {
  if (text.includes('\0')) return 'A NUL character cannot be stored.';
  return CUT.test(text) ? 'Half of a character (a surrogate alone) cannot be stored.' : null;
}
