/**
 * Regular expressions that take linear time: what a person writes is matched against what a stranger's error says, in a process that
 * serves everybody, so nothing here may ever backtrack. All states are followed side by side (Thompson's construction).
 */

/** Characters of a pattern. */
export const MOST_PATTERN = 500;
/** States; a counted repetition is written out. */
const MOST_STATES = 2_000;
/** Parts written out on the way there: empty ones make no state, however often they are repeated. */
const MOST_PARTS = 20 * MOST_STATES;
const MOST_COUNT = 200;
/** Characters of a text that are looked at. */
const MOST_TEXT = 4_000;

export interface SafePattern {
  /** Does the pattern occur in the text (its first 4,000 characters)? */
  test(text: string): boolean;
}

type Test = (code: number) => boolean;
type Assert = (text: string, at: number) => boolean;
type Node =
  | { kind: 'one'; test: Test }
  | { kind: 'all'; items: Node[] }
  | { kind: 'any'; items: Node[] }
  | { kind: 'repeat'; item: Node; least: number; most: number }
  | { kind: 'assert'; assert: Assert };
type State = { test: Test; next: number } | { assert: Assert; next: number } | { to: number[] };

const between = (low: number, high: number) => (code: number) => code >= low && code <= high;
const anyOf =
  (tests: Test[]): Test =>
  (code) =>
    tests.some((test) => test(code));
const not =
  (test: Test): Test =>
  (code) =>
    !test(code);
const isDigit = between(48, 57);
const isWord = anyOf([isDigit, between(65, 90), between(97, 122), (code) => code === 95]);
const isSpace: Test = (code) => /\s/.test(String.fromCharCode(code));
const CLASSES: { [letter: string]: Test } = { d: isDigit, w: isWord, s: isSpace };
const CONTROLS: { [letter: string]: string } = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', '0': '\0' };

const wordAt = (text: string, at: number) => at >= 0 && at < text.length && isWord(text.charCodeAt(at));
const atBoundary: Assert = (text, at) => wordAt(text, at - 1) !== wordAt(text, at);
const ASSERTS: { [name: string]: Assert } = {
  '^': (_, at) => at === 0,
  $: (text, at) => at === text.length,
  b: atBoundary,
  B: (text, at) => !atBoundary(text, at),
};

class PatternError extends Error {}

/** The pattern, or what is wrong with it. `(?i)` at its begin: upper and lower case are the same. */
export function compilePattern(source: string): SafePattern | string {
  if (source.length > MOST_PATTERN) return `It has ${source.length} characters; at most ${MOST_PATTERN} are allowed.`;
  const ignoreCase = source.startsWith('(?i)');
  try {
    const node = parsePattern(createReader(ignoreCase ? source.slice(4) : source, ignoreCase));
    const { states, start } = build(node);
    return { test: (text) => run(states, start, text.slice(0, MOST_TEXT)) };
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

function parsePattern(reader: Reader): Node {
  const node = readAlternatives(reader, 0);
  if (!reader.isAtEnd()) throw new PatternError(`There is a ')' without its '('.`);
  return node;
}

type Reader = ReturnType<typeof createReader>;

function createReader(source: string, ignoreCase: boolean) {
  let at = 0;
  return {
    /** Before any negation, so that [^a] is not an A either. */
    fold: (test: Test): Test => (ignoreCase ? inBothCases(test) : test),
    isAtEnd: () => at >= source.length,
    peek: () => source[at] ?? '',
    next: () => source[at++] ?? '',
    /** Takes the text if it comes next. */
    take(text: string): boolean {
      if (!source.startsWith(text, at)) return false;
      at += text.length;
      return true;
    },
    /** Takes what the sticky expression finds here. */
    match(expression: RegExp): RegExpExecArray | null {
      expression.lastIndex = at;
      const found = expression.exec(source);
      if (found) at += found[0].length;
      return found;
    },
  };
}

function readAlternatives(reader: Reader, depth: number): Node {
  if (depth > 50) throw new PatternError('Its groups are nested deeper than 50.');
  const items: Node[] = [];
  do {
    const all: Node[] = [];
    while (!reader.isAtEnd() && reader.peek() !== '|' && reader.peek() !== ')') all.push(readRepeated(reader, depth));
    items.push({ kind: 'all', items: all });
  } while (reader.take('|'));
  return items.length === 1 && items[0] ? items[0] : { kind: 'any', items };
}

function readRepeated(reader: Reader, depth: number): Node {
  const item = readAtom(reader, depth);
  const count = readCount(reader);
  if (!count) return item;
  // Lazy or greedy: whether it matches is the same
  reader.take('?');
  if (/[*+?]/.test(reader.peek() || ' ')) throw new PatternError(`'${reader.peek()}' follows a repetition.`);
  if (item.kind === 'assert') throw new PatternError('A place such as ^ or \\b cannot be repeated.');
  return { kind: 'repeat', item, ...count };
}

function readCount(reader: Reader): { least: number; most: number } | null {
  if (reader.take('*')) return { least: 0, most: Infinity };
  if (reader.take('+')) return { least: 1, most: Infinity };
  if (reader.take('?')) return { least: 0, most: 1 };
  const found = reader.match(/\{(\d+)(,?)(\d*)\}/y);
  if (!found) return null;
  const least = Number(found[1]);
  const most = found[2] === '' ? least : found[3] === '' ? Infinity : Number(found[3]);
  if (least > MOST_COUNT || (most > MOST_COUNT && most !== Infinity) || least > most)
    throw new PatternError(`${found[0]}: counts go up to ${MOST_COUNT}, the lower one first.`);
  return { least, most };
}

function readAtom(reader: Reader, depth: number): Node {
  const char = reader.next();
  if (char === '(') return readGroup(reader, depth);
  if (char === '[') return { kind: 'one', test: readClass(reader) };
  if (char === '.') return { kind: 'one', test: (code) => code !== 10 && code !== 13 };
  if (char === '^' || char === '$') return { kind: 'assert', assert: ASSERTS[char]! };
  if (/[*+?]/.test(char)) throw new PatternError(`There is nothing before '${char}' that it could repeat.`);
  if (char !== '\\') return { kind: 'one', test: reader.fold(sameAs(char)) };
  if (/[bB]/.test(reader.peek())) return { kind: 'assert', assert: ASSERTS[reader.next()]! };
  return { kind: 'one', test: readEscape(reader) };
}

const sameAs = (char: string): Test => {
  const wanted = char.charCodeAt(0);
  return (code) => code === wanted;
};

function readGroup(reader: Reader, depth: number): Node {
  if (reader.peek() === '?' && !reader.take('?:'))
    throw new PatternError(`Groups that begin with (? are not supported, but for (?: … ), and (?i) at the begin.`);
  const node = readAlternatives(reader, depth + 1);
  if (!reader.take(')')) throw new PatternError(`There is a '(' without its ')'.`);
  return node;
}

/** What follows a backslash. */
function readEscape(reader: Reader): Test {
  const hex = reader.match(/x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})/y);
  if (hex) return reader.fold(sameAs(String.fromCharCode(parseInt(hex[1] ?? hex[2] ?? '', 16))));
  const char = reader.next();
  const kind = CLASSES[char.toLowerCase()];
  if (kind) return char === char.toLowerCase() ? kind : not(kind);
  const control = CONTROLS[char];
  if (control !== undefined) return sameAs(control);
  if (/[1-9]/.test(char)) throw new PatternError('References to groups are not supported.');
  if (char === '' || /[A-Za-z]/.test(char)) throw new PatternError(`\\${char} is not known.`);
  return reader.fold(sameAs(char));
}

/** After `[`. */
function readClass(reader: Reader): Test {
  const isNegated = reader.take('^');
  const tests: Test[] = [];
  while (!reader.take(']')) {
    if (reader.isAtEnd()) throw new PatternError(`There is a '[' without its ']'.`);
    const range = reader.match(/([^\\\]])-([^\\\]])/y);
    if (!range) {
      tests.push(reader.take('\\') ? readEscape(reader) : reader.fold(sameAs(reader.next())));
      continue;
    }
    const [low, high] = [range[1]!.charCodeAt(0), range[2]!.charCodeAt(0)];
    if (low > high) throw new PatternError(`The range ${range[0]} runs backwards.`);
    tests.push(reader.fold(between(low, high)));
  }
  return isNegated ? not(anyOf(tests)) : anyOf(tests);
}

/** State 0 is the end. */
function build(node: Node): { states: State[]; start: number } {
  const states: State[] = [{ to: [] }];
  let parts = 0;
  const tooLarge = () => new PatternError('It is too large. Use smaller counts.');
  const push = (state: State): number => {
    if (states.length >= MOST_STATES) throw tooLarge();
    return states.push(state) - 1;
  };
  const emit = (part: Node, next: number): number => {
    if (++parts > MOST_PARTS) throw tooLarge();
    switch (part.kind) {
      case 'one':
        return push({ test: part.test, next });
      case 'assert':
        return push({ assert: part.assert, next });
      case 'all':
        return part.items.reduceRight((after, item) => emit(item, after), next);
      case 'any':
        return push({ to: part.items.map((item) => emit(item, next)) });
      case 'repeat':
        return repeat(part, next);
    }
  };
  const repeat = ({ item, least, most }: Node & { kind: 'repeat' }, next: number): number => {
    let entry = next;
    if (most === Infinity) {
      const loop = { to: [next] };
      entry = push(loop);
      loop.to.push(emit(item, entry));
    } else for (let i = least; i < most; i++) entry = push({ to: [next, emit(item, entry)] });
    for (let i = 0; i < least; i++) entry = emit(item, entry);
    return entry;
  };
  return { start: emit(node, 0), states };
}

function inBothCases(test: Test): Test {
  return (code) => {
    const char = String.fromCharCode(code);
    return test(code) || test(char.toLowerCase().charCodeAt(0)) || test(char.toUpperCase().charCodeAt(0));
  };
}

function run(states: readonly State[], start: number, text: string): boolean {
  /** At which place a state was last reached: each is followed once per place. */
  const reached = new Int32Array(states.length).fill(-1);
  let live: number[] = [];
  for (let at = 0; at <= text.length; at++) {
    const stack = [start, ...live.reverse()];
    live = [];
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (id === 0) return true;
      if (reached[id] === at) continue;
      reached[id] = at;
      const state = states[id]!;
      if ('to' in state) stack.push(...state.to);
      else if ('test' in state) {
        if (at < text.length && state.test(text.charCodeAt(at))) live.push(state.next);
      } else if (state.assert(text, at)) stack.push(state.next);
    }
  }
  return false;
}
