/** Finds the statements of an SQL text and the parameters in them, without looking into strings, names and comments. */
import type { Json } from '#sdk/protocol.ts';

export type SqlParameters = readonly Json[] | { readonly [name: string]: Json };

/** A statement as the database gets it. */
export interface BoundStatement {
  text: string;
  values: Json[];
}

interface Piece {
  kind: 'text' | 'name' | 'number';
  text: string;
}

const TOKEN = new RegExp(
  [
    String.raw`(?<quoted>[eE]'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'|'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*")`,
    String.raw`(?<dollar>\$(?<tag>[A-Za-z_]\w*)?\$[\s\S]*?\$\k<tag>\$)`,
    String.raw`(?<comment>--[^\n]*)`,
    String.raw`(?<block>\/\*)`,
    String.raw`\$(?<number>\d+)`,
    String.raw`(?<cast>::|:=)`,
    String.raw`:(?<name>[A-Za-z_]\w*)`,
    String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<end>;)`,
    String.raw`(?<blank>\s+)`,
    String.raw`(?<other>\d[\w.]*|[\s\S])`,
  ].join('|'),
  'y',
);

/** The statements, each with its parameters bound. Throws an Error that says which parameter is missing. */
export function bindStatements(sql: string, parameters: SqlParameters): BoundStatement[] {
  return splitStatements(sql).map((pieces) => bind(pieces, parameters));
}

function splitStatements(sql: string): Piece[][] {
  const statements: Piece[][] = [];
  let current: Piece[] = [];
  let hasCode = false;
  const depth = createBodyDepth();
  const close = () => {
    if (hasCode) statements.push(current);
    current = [];
    hasCode = false;
  };
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < sql.length;) {
    const from = TOKEN.lastIndex;
    const { groups = {} } = TOKEN.exec(sql) ?? {};
    if (groups['block'] !== undefined) TOKEN.lastIndex = endOfComment(sql, from);
    const text = sql.slice(from, TOKEN.lastIndex);
    if (groups['word'] !== undefined) depth.see(groups['word'].toLowerCase());
    if (groups['end'] !== undefined && depth.isOutside()) {
      close();
      depth.reset();
      continue;
    }
    const kind = groups['name'] !== undefined ? 'name' : groups['number'] !== undefined ? 'number' : 'text';
    current.push({ kind, text });
    hasCode ||= groups['comment'] === undefined && groups['block'] === undefined && groups['blank'] === undefined;
  }
  close();
  return statements;
}

/** The body of `create function … begin atomic … end` has semicolons of its own. */
function createBodyDepth() {
  let depth = 0;
  let last = '';
  return {
    see(word: string) {
      if (word === 'atomic' && last === 'begin') depth = 1;
      else if (depth > 0 && word === 'case') depth += 1;
      else if (depth > 0 && word === 'end') depth -= 1;
      last = word;
    },
    isOutside: () => depth === 0,
    reset() {
      depth = 0;
      last = '';
    },
  };
}

/** Comments of this kind nest. */
function endOfComment(sql: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  for (let open = 0, mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    open += mark[0] === '/*' ? 1 : -1;
    if (open === 0) return marks.lastIndex;
  }
  return sql.length;
}

const shorten = (text: string) => {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
};

function bind(pieces: readonly Piece[], parameters: SqlParameters): BoundStatement {
  const source = pieces.map((piece) => piece.text).join('');
  if (isList(parameters)) return { text: source.trim(), values: byNumber(source, pieces, parameters) };
  const names: string[] = [];
  const text = pieces.map((piece) => {
    if (piece.kind !== 'name') return piece.text;
    const name = piece.text.slice(1);
    if (!Object.hasOwn(parameters, name))
      throw new Error(`There is no parameter '${name}' for the statement: ${shorten(source)}`);
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  return { text: text.join('').trim(), values: names.map((name) => parameters[name] ?? null) };
}

const isList = (parameters: SqlParameters): parameters is readonly Json[] => Array.isArray(parameters);

function byNumber(source: string, pieces: readonly Piece[], parameters: readonly Json[]): Json[] {
  const numbers = pieces.filter((piece) => piece.kind === 'number').map((piece) => Number(piece.text.slice(1)));
  const most = Math.max(0, ...numbers);
  if (most > parameters.length)
    throw new Error(`There is no parameter $${most}, only ${parameters.length}, for the statement: ${shorten(source)}`);
  return parameters.slice(0, most);
}
