/** Expressions, with the precedences of Jinja. */
import type { Token } from './lexer.ts';
import type { CallArguments, Expression } from './nodes.ts';
import { Float, integer, JinjaError } from './values.ts';

const CONSTANTS = new Map<string, null | boolean>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);
const COMPARISONS = new Set(['==', '!=', '<', '>', '<=', '>=']);
const MAX_DEPTH = 100;

export class ExpressionParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek = (ahead = 0): Token | undefined => this.#tokens[this.#at + ahead];
  peekText = (ahead: number): string => this.peek(ahead)?.text ?? '';
  next = (): Token | undefined => this.#tokens[this.#at++];
  position = (): number => this.#at;
  namesSince = (start: number): Set<string> =>
    new Set(this.#tokens.slice(start, this.#at).flatMap((token) => (token.kind === 'name' ? [token.text] : [])));

  fail(message: string): never {
    const line = (this.peek() ?? this.#tokens.at(-1))?.line ?? 1;
    throw new JinjaError(`${message} (line ${line})`);
  }
  isAt = (operator: string): boolean => this.peek()?.kind === 'operator' && this.peekText(0) === operator;
  isName = (name: string): boolean => this.peek()?.kind === 'name' && this.peekText(0) === name;
  skip(operator: string): boolean {
    const found = this.isAt(operator);
    if (found) this.#at += 1;
    return found;
  }
  skipName(name: string): boolean {
    const found = this.isName(name);
    if (found) this.#at += 1;
    return found;
  }
  expect(operator: string): void {
    if (!this.skip(operator)) this.fail(`expected '${operator}', got ${this.#seen()}`);
  }
  expectName(name: string): void {
    if (!this.skipName(name)) this.fail(`expected '${name}', got ${this.#seen()}`);
  }
  name(): string {
    const token = this.peek();
    if (token?.kind !== 'name') return this.fail(`expected a name, got ${this.#seen()}`);
    this.#at += 1;
    return token.text;
  }
  end(opener: string): void {
    const token = this.peek();
    if (token?.kind !== 'end') this.fail(`expected the end of the tag, got ${this.#seen()}`);
    if (token?.text !== opener) this.fail('the tag ends otherwise than it begins');
    this.#at += 1;
  }
  #seen(): string {
    const token = this.peek();
    if (!token) return 'the end of the template';
    return token.kind === 'end' ? 'the end of the tag' : `'${token.text.slice(0, 40)}'`;
  }

  /** One expression, or several with commas between them. */
  tuple(withCondition = true, explicit = false): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      const token = this.peek();
      if (!token || token.kind === 'end' || this.isAt(')') || this.isName('in') || this.isName('recursive')) break;
      items.push(this.expression(withCondition));
      if (!this.skip(',')) break;
      isTuple = true;
    }
    const [only] = items;
    if (only && !isTuple) return only;
    if (!isTuple && !explicit) this.fail(`Expected an expression, got ${this.#seen()}`);
    return { type: 'tuple', items };
  }

  expression(withCondition = true): Expression {
    if ((this.#depth += 1) > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH} levels`);
    let result = this.#or();
    while (withCondition && this.skipName('if')) {
      const test = this.#or();
      const otherwise = this.skipName('else') ? this.expression() : null;
      result = { type: 'condition', test, then: result, otherwise };
    }
    this.#depth -= 1;
    return result;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.skipName('or')) left = { type: 'logic', operator: 'or', left, right: this.#and() };
    return left;
  }
  #and(): Expression {
    let left = this.#not();
    while (this.skipName('and')) left = { type: 'logic', operator: 'and', left, right: this.#not() };
    return left;
  }
  #not(): Expression {
    if (!this.isName('not')) return this.#compare();
    this.#at += 1;
    return this.#nested(() => ({ type: 'unary', operator: 'not', operand: this.#not() }));
  }
  #compare(): Expression {
    const first = this.#sum();
    const rest: { operator: string; operand: Expression }[] = [];
    for (;;) {
      if (this.peek()?.kind === 'operator' && COMPARISONS.has(this.peekText(0))) {
        const operator = this.next()?.text ?? '';
        rest.push({ operator, operand: this.#sum() });
      } else if (this.skipName('in')) rest.push({ operator: 'in', operand: this.#sum() });
      else if (this.isName('not') && this.peekText(1) === 'in') {
        this.#at += 2;
        rest.push({ operator: 'not in', operand: this.#sum() });
      } else return rest.length === 0 ? first : { type: 'compare', first, rest };
    }
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.peek()?.kind === 'operator' && operators.includes(this.peekText(0))) {
      const operator = this.next()?.text ?? '';
      left = { type: 'binary', operator, left, right: operand() };
    }
    return left;
  }
  #sum = (): Expression => this.#binary(['+', '-'], () => this.#concat());
  #concat(): Expression {
    const parts = [this.#product()];
    while (this.skip('~')) parts.push(this.#product());
    return parts.length === 1 && parts[0] ? parts[0] : { type: 'concat', parts };
  }
  #product = (): Expression => this.#binary(['*', '/', '//', '%'], () => this.#binary(['**'], () => this.#unary()));

  #nested(parse: () => Expression): Expression {
    if ((this.#depth += 1) > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH} levels`);
    const result = parse();
    this.#depth -= 1;
    return result;
  }
  #unary(withFilter = true): Expression {
    let node: Expression;
    if (this.skip('-')) node = this.#nested(() => ({ type: 'unary', operator: '-', operand: this.#unary(false) }));
    else if (this.skip('+')) node = this.#nested(() => ({ type: 'unary', operator: '+', operand: this.#unary(false) }));
    else node = this.#primary();
    node = this.#postfix(node);
    return withFilter ? this.filters(node) : node;
  }

  #postfix(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.skip('.')) node = this.#member(node);
      else if (this.skip('[')) node = this.#subscript(node);
      else if (this.isAt('(')) node = { type: 'call', callee: node, args: this.#callArguments() };
      else return node;
    }
  }
  #member(object: Expression): Expression {
    if (this.peek()?.kind !== 'integer') return { type: 'member', object, name: this.name() };
    return { type: 'item', object, key: { type: 'constant', value: Number(this.next()?.text) } };
  }
  #subscript(object: Expression): Expression {
    const bound = () => (this.isAt(':') || this.isAt(']') ? null : this.expression());
    const start = bound();
    if (!this.isAt(':')) {
      if (!start) this.fail('expected subscript expression');
      const more: Expression[] = [];
      while (this.skip(',')) if (!this.isAt(']')) more.push(this.expression());
      this.expect(']');
      const key = more.length > 0 ? { type: 'tuple' as const, items: [start!, ...more] } : start!;
      return { type: 'item', object, key };
    }
    this.expect(':');
    const stop = bound();
    const step = this.skip(':') ? bound() : null;
    this.expect(']');
    return { type: 'slice', object, start, stop, step };
  }

  /** `| filter` and `is test` after an operand. `named`: the first comes without a bar, as in a filter block. */
  filters(operand: Expression | null, named = false): Expression {
    let node = operand;
    let first = named;
    for (;;) {
      if (first || this.skip('|')) {
        first = false;
        const name = this.#dottedName();
        node = { type: 'filter', operand: node, name, args: this.isAt('(') ? this.#callArguments() : noArguments() };
      } else if (node && this.skipName('is')) node = this.#test(node);
      else if (node && node !== operand && this.isAt('('))
        node = { type: 'call', callee: node, args: this.#callArguments() };
      else return node ?? this.fail('expected a filter');
    }
  }
  #dottedName(): string {
    let name = this.name();
    while (this.skip('.')) name += `.${this.name()}`;
    return name;
  }
  #test(operand: Expression): Expression {
    const negated = this.skipName('not');
    const name = this.#dottedName();
    let args = noArguments();
    const token = this.peek();
    if (this.isAt('(')) args = this.#callArguments();
    else if (
      token &&
      (['name', 'string', 'integer', 'float'].includes(token.kind) || this.isAt('[') || this.isAt('{')) &&
      !['else', 'or', 'and', 'if', 'not', 'in'].some((word) => this.isName(word))
    ) {
      if (this.isName('is')) this.fail('You cannot chain multiple tests with is');
      args.positional.push(this.#postfix(this.#primary()));
    }
    const test: Expression = { type: 'test', operand, name, args };
    return negated ? { type: 'unary', operator: 'not', operand: test } : test;
  }

  #callArguments(): CallArguments {
    const args = noArguments();
    this.expect('(');
    while (!this.skip(')')) {
      if (args.positional.length + args.named.length > 0 || args.list || args.dict) this.expect(',');
      if (this.skip(')')) break;
      if (this.skip('**')) args.dict = this.expression();
      else if (this.skip('*')) args.list = this.expression();
      else if (this.peek()?.kind === 'name' && this.peekText(1) === '=' && this.peek(1)?.kind === 'operator') {
        const name = this.name();
        this.expect('=');
        args.named.push({ name, value: this.expression() });
      } else {
        if (args.named.length > 0 || args.dict) this.fail('positional argument follows keyword argument');
        args.positional.push(this.expression());
      }
    }
    return args;
  }

  #primary(): Expression {
    const token = this.peek();
    if (!token) return this.fail('unexpected end of template');
    if (token.kind === 'name') {
      this.#at += 1;
      const constant = CONSTANTS.get(token.text);
      return constant === undefined ? { type: 'name', name: token.text } : { type: 'constant', value: constant };
    }
    if (token.kind === 'string') {
      let value = '';
      while (this.peek()?.kind === 'string') value += this.next()?.text ?? '';
      return { type: 'constant', value };
    }
    if (token.kind === 'integer' || token.kind === 'float') {
      this.#at += 1;
      const number = Number(token.text);
      const value = token.kind === 'integer' ? integer(number) : Number.isInteger(number) ? new Float(number) : number;
      return { type: 'constant', value };
    }
    if (this.skip('(')) {
      const inner = this.#nested(() => this.tuple(true, true));
      this.expect(')');
      return inner;
    }
    if (this.skip('[')) return { type: 'list', items: this.#items(']', () => this.expression()) };
    if (this.skip('{')) {
      const entry = (): [Expression, Expression] => {
        const key = this.expression();
        this.expect(':');
        return [key, this.expression()];
      };
      return { type: 'dict', entries: this.#items('}', entry) };
    }
    return this.fail(`unexpected ${this.#seen()}`);
  }
  #items<Item>(closer: string, item: () => Item): Item[] {
    const items: Item[] = [];
    while (!this.skip(closer)) {
      if (items.length > 0) this.expect(',');
      if (this.skip(closer)) break;
      items.push(item());
    }
    return items;
  }
}

const noArguments = (): CallArguments => ({ positional: [], named: [], list: null, dict: null });
