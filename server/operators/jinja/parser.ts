/** Statements. Expressions are in parse-expression.ts. */
import { tokenize } from './lexer.ts';
import type { Expression, Macro, Statement, Target } from './nodes.ts';
import { ExpressionParser } from './parse-expression.ts';

const MAX_DEPTH = 60;
/** They need other templates, and a task's field has none. */
const ELSEWHERE = new Set(['include', 'import', 'from', 'extends', 'block']);

export function parseTemplate(template: string): Statement[] {
  return new Parser(tokenize(template)).template();
}

class Parser extends ExpressionParser {
  #depth = 0;

  template(): Statement[] {
    const body = this.#body([]);
    const left = this.next();
    if (left) this.fail(`Encountered unknown tag '${this.peekText(0)}'`);
    return body;
  }

  /** Up to a tag with one of these names, whose `{%` and name are taken. */
  #until(...ends: string[]): { body: Statement[]; end: string } {
    const body = this.#body(ends);
    if (!this.next())
      this.fail(`Unexpected end of template: looking for ${ends.map((end) => `'${end}'`).join(' or ')}`);
    return { body, end: this.name() };
  }

  #body(ends: readonly string[]): Statement[] {
    if ((this.#depth += 1) > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH} blocks`);
    const body: Statement[] = [];
    for (let token = this.peek(); token; token = this.peek()) {
      if (token.kind === 'data') {
        this.next();
        body.push({ type: 'data', text: token.text });
      } else if (token.text === '{{') {
        this.next();
        body.push({ type: 'output', expression: this.tuple() });
        this.end('{{');
      } else {
        if (ends.includes(this.peekText(1))) break;
        this.next();
        body.push(this.#statement());
      }
    }
    this.#depth -= 1;
    return body;
  }

  #statement(): Statement {
    const name = this.name();
    switch (name) {
      case 'if':
        return this.#if();
      case 'for':
        return this.#for();
      case 'set':
        return this.#set();
      case 'with':
        return this.#with();
      case 'macro':
        return this.#macro();
      case 'call':
        return this.#call();
      case 'filter':
        return this.#filterBlock();
      case 'do': {
        const expression = this.tuple();
        this.end('{%');
        return { type: 'do', expression };
      }
    }
    if (ELSEWHERE.has(name)) return this.fail(`'${name}' is not supported: a template stands alone`);
    return this.fail(`Encountered unknown tag '${name}'`);
  }

  #if(): Statement {
    const branches: { test: Expression; body: Statement[] }[] = [];
    let test = this.tuple(false);
    this.end('{%');
    for (;;) {
      const { body, end } = this.#until('elif', 'else', 'endif');
      branches.push({ test, body });
      if (end === 'elif') {
        test = this.tuple(false);
        this.end('{%');
        continue;
      }
      this.end('{%');
      return { type: 'if', branches, otherwise: end === 'else' ? this.#closed('endif') : [] };
    }
  }

  #closed(end: string): Statement[] {
    const { body } = this.#until(end);
    this.end('{%');
    return body;
  }

  #for(): Statement {
    const target = this.#target(['in']);
    this.expectName('in');
    const iterable = this.tuple(false);
    const filter = this.skipName('if') ? this.expression() : null;
    const recursive = this.skipName('recursive');
    this.end('{%');
    const { body, end } = this.#until('else', 'endfor');
    this.end('{%');
    return {
      type: 'for',
      target,
      iterable,
      filter,
      recursive,
      body,
      otherwise: end === 'else' ? this.#closed('endfor') : [],
    };
  }

  #set(): Statement {
    const target = this.#target(['=']);
    if (this.skip('=')) {
      const value = this.tuple();
      this.end('{%');
      return { type: 'set', target, value };
    }
    const filter = this.isAt('|') ? this.filters(null) : null;
    this.end('{%');
    return { type: 'capture', target, filter, body: this.#closed('endset') };
  }

  #with(): Statement {
    const assignments: { target: Target; value: Expression }[] = [];
    while (this.peek()?.kind !== 'end') {
      if (assignments.length > 0) this.expect(',');
      const target = this.#target(['=']);
      this.expect('=');
      assignments.push({ target, value: this.expression() });
    }
    this.end('{%');
    return { type: 'with', assignments, body: this.#closed('endwith') };
  }

  #filterBlock(): Statement {
    const filter = this.filters(null, true);
    this.end('{%');
    return { type: 'filterBlock', filter, body: this.#closed('endfilter') };
  }

  #macro(): Statement {
    const name = this.name();
    const parameters = this.#parameters();
    this.end('{%');
    const start = this.position();
    const body = this.#closed('endmacro');
    return { type: 'macro', macro: { name, parameters, body, uses: this.namesSince(start) } };
  }

  #call(): Statement {
    const parameters = this.isAt('(') ? this.#parameters() : [];
    const call = this.expression();
    if (call.type !== 'call') this.fail('expected call');
    this.end('{%');
    const start = this.position();
    const body = this.#closed('endcall');
    return { type: 'callBlock', call, caller: { name: 'caller', parameters, body, uses: this.namesSince(start) } };
  }

  #parameters(): Macro['parameters'] {
    const parameters: Macro['parameters'] = [];
    this.expect('(');
    while (!this.skip(')')) {
      if (parameters.length > 0) this.expect(',');
      const name = this.name();
      const fallback = this.skip('=') ? this.expression() : null;
      if (!fallback && parameters.at(-1)?.fallback) this.fail('non-default argument follows default argument');
      parameters.push({ name, fallback });
    }
    return parameters;
  }

  #target(ends: readonly string[]): Target {
    const targets: Target[] = [];
    let isTuple = false;
    do {
      if (targets.length > 0 && ends.includes(this.peekText(0))) break;
      targets.push(this.#oneTarget());
      isTuple ||= this.isAt(',');
    } while (this.skip(','));
    const [only] = targets;
    return only && !isTuple ? only : { type: 'names', targets };
  }

  #oneTarget(): Target {
    if (this.skip('(')) {
      const target = this.#target([')']);
      this.expect(')');
      return target;
    }
    const name = this.name();
    if (['true', 'false', 'none', 'True', 'False', 'None'].includes(name)) this.fail(`can't assign to '${name}'`);
    return this.skip('.') ? { type: 'namespace', name, member: this.name() } : { type: 'name', name };
  }
}
