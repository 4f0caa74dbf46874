/** Splits a template into text and the tokens inside its tags, with Jinja's rules for whitespace. */
import { JinjaError } from './values.ts';

export type TokenKind = 'data' | 'begin' | 'end' | 'name' | 'string' | 'integer' | 'float' | 'operator';
export interface Token {
  kind: TokenKind;
  /** `begin` and `end`: `{{` or `{%`, whichever kind of tag. Strings without quotes and escapes. */
  text: string;
  line: number;
}

const TAG = /\{\{[-+]?|\{%[-+]?|\{#[-+]?/g;
const RAW = /^\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})/;
const END_RAW = /\{%([-+]?)\s*endraw\s*(\+%\}|-%\}\s*|%\})/g;
const NUMBER =
  /(?:\d[\d_]*(?:\.\d[\d_]*)?[eE][+-]?\d[\d_]*|\d[\d_]*\.\d[\d_]*)|0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*/y;
const NAME = /[A-Za-z_\u00aa-\uffff][\w\u00aa-\uffff]*/y;
const STRING = /'((?:[^'\\]|\\[^])*)'|"((?:[^"\\]|\\[^])*)"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[+\-/*%~<>=.:|,;()[\]{}]/y;
const CLOSERS: { [opener: string]: string } = { '(': ')', '[': ']', '{': '}' };

export function tokenize(template: string): Token[] {
  return new Lexer(template.replaceAll(/\r\n?/g, '\n').replace(/\n$/, '')).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  #counted = 0;
  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) {
      TAG.lastIndex = this.#at;
      const tag = TAG.exec(this.#source);
      if (!tag) {
        this.#data(this.#source.slice(this.#at));
        break;
      }
      const text = this.#source.slice(this.#at, tag.index);
      this.#data(tag[0].endsWith('-') ? text.trimEnd() : text);
      this.#at = tag.index;
      if (tag[0].startsWith('{#')) this.#comment();
      else if (!this.#raw()) this.#tag(tag[0].slice(0, 2), tag[0].length);
    }
    return this.#tokens;
  }

  #push(kind: TokenKind, text: string, at: number): void {
    for (; this.#counted < at; this.#counted += 1) if (this.#source[this.#counted] === '\n') this.#line += 1;
    this.#tokens.push({ kind, text, line: this.#line });
  }
  #data(text: string): void {
    if (text !== '') this.#push('data', text, this.#at);
  }
  #fail(message: string): never {
    const line = this.#source.slice(0, this.#at).split('\n').length;
    throw new JinjaError(`${message} (line ${line})`);
  }

  #comment(): void {
    const end = this.#source.indexOf('#}', this.#at + 2);
    if (end < 0) this.#fail('Missing end of comment tag');
    const strips = this.#source[end - 1] === '-';
    this.#at = end + 2;
    if (strips) this.#skipSpace();
  }

  #raw(): boolean {
    const begin = RAW.exec(this.#source.slice(this.#at));
    if (!begin) return false;
    const start = this.#at + begin[0].length;
    END_RAW.lastIndex = start;
    const end = END_RAW.exec(this.#source);
    if (!end) return this.#fail('Missing end of raw directive');
    const text = this.#source.slice(start, end.index);
    this.#data(end[1] === '-' ? text.trimEnd() : text);
    this.#at = END_RAW.lastIndex;
    return true;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#source[this.#at] ?? '')) this.#at += 1;
  }

  /** Ends at the closer, unless brackets are open: `{{ {'a': {}} }}`. */
  #tag(opener: string, length: number): void {
    const closer = opener === '{{' ? '}}' : '%}';
    this.#push('begin', opener, this.#at);
    this.#at += length;
    const open: string[] = [];
    for (;;) {
      this.#skipSpace();
      if (this.#at >= this.#source.length) this.#fail(`unexpected end of template: '${closer}' is missing`);
      const rest = this.#source.slice(this.#at, this.#at + 3);
      const dashed = rest.startsWith(`-${closer}`) || rest.startsWith(`+${closer}`);
      if (open.length === 0 && (dashed || rest.startsWith(closer))) {
        this.#push('end', opener, this.#at);
        this.#at += dashed ? 3 : 2;
        if (rest.startsWith('-')) this.#skipSpace();
        return;
      }
      this.#token(open);
    }
  }

  #token(open: string[]): void {
    const start = this.#at;
    const take = (pattern: RegExp): RegExpExecArray | null => {
      pattern.lastIndex = start;
      const match = pattern.exec(this.#source);
      if (match) this.#at = pattern.lastIndex;
      return match;
    };
    const number = take(NUMBER);
    if (number) {
      const digits = number[0].replaceAll('_', '');
      const isFloat = /^\d+(\.\d+)?([eE]|$)/.test(digits) && /[.eE]/.test(digits) && !/^0[xX]/.test(digits);
      return this.#push(isFloat ? 'float' : 'integer', digits, start);
    }
    const name = take(NAME);
    if (name) return this.#push('name', name[0], start);
    const string = take(STRING);
    if (string) return this.#push('string', unescape(string[1] ?? string[2] ?? ''), start);
    const operator = take(OPERATOR);
    if (!operator) return this.#fail(`unexpected char '${this.#source[start] ?? ''}'`);
    const closer = CLOSERS[operator[0]];
    if (closer) open.push(closer);
    else if (')]}'.includes(operator[0]) && open.pop() !== operator[0]) this.#fail(`unexpected '${operator[0]}'`);
    this.#push('operator', operator[0], start);
  }
}

const ESCAPES: { [letter: string]: string } = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\u0007',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

function unescape(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/g,
    (whole, x: string, u: string, long: string, octal: string, letter: string) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) {
        const code = parseInt(hex, 16);
        if (code > 0x10ffff) throw new JinjaError('illegal Unicode character');
        return String.fromCodePoint(code);
      }
      if (octal !== undefined) return String.fromCodePoint(parseInt(octal, 8));
      return ESCAPES[letter] ?? whole;
    },
  );
}
