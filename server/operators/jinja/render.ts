/** Runs the statements of a template. */
import { createBudget } from './budget.ts';
import { createEvaluator, type Evaluator } from './evaluate.ts';
import { createLoop } from './loop.ts';
import type { Macro, Statement, Target } from './nodes.ts';
import { Scope, type Globals } from './scope.ts';
import { Namespace } from './globals.ts';
import { Callable, iterate, JinjaError, str, truth, Tuple, Undefined, type Arguments, type Value } from './values.ts';

const MAX_CALLS = 50;
type For = Statement & { type: 'for' };

/** What it makes renders one template. It throws a JinjaError, or what a global threw. */
export function createRenderer(globals: Globals): (program: readonly Statement[]) => string {
  const budget = createBudget();
  const evaluate: Evaluator = createEvaluator(budget);
  let calls = 0;

  const assign = (target: Target, value: Value, scope: Scope): void => {
    if (target.type === 'name') return scope.set(target.name, value);
    if (target.type === 'namespace') {
      const object = scope.get(target.name);
      if (!(object instanceof Namespace)) throw new JinjaError('cannot assign attribute on non-namespace object');
      return object.set(target.member, value);
    }
    const items = iterate(value, budget);
    if (items.length !== target.targets.length)
      throw new JinjaError(`${items.length} values where ${target.targets.length} names are to get one each`);
    target.targets.forEach((each, i) => assign(each, items[i] ?? null, scope));
  };

  const run = (statements: readonly Statement[], scope: Scope): string => {
    let text = '';
    for (const statement of statements) {
      const piece = statement.type === 'data' ? statement.text : execute(statement, scope);
      if (piece === '') continue;
      budget.size(piece.length);
      text += piece;
    }
    return text;
  };

  const execute = (statement: Statement, scope: Scope): string => {
    budget.step();
    switch (statement.type) {
      case 'data':
        return statement.text;
      case 'output':
        return str(evaluate(statement.expression, scope), budget);
      case 'if': {
        const branch = statement.branches.find(({ test }) => truth(evaluate(test, scope)));
        return run(branch ? branch.body : statement.otherwise, scope);
      }
      case 'for':
        return loop(statement, evaluate(statement.iterable, scope), scope, 0);
      case 'do':
        evaluate(statement.expression, scope);
        return '';
      default:
        return define(statement, scope);
    }
  };
  const define = (statement: Statement, scope: Scope): string => {
    switch (statement.type) {
      case 'set':
        assign(statement.target, evaluate(statement.value, scope), scope);
        return '';
      case 'capture': {
        const text = run(statement.body, new Scope(scope));
        assign(statement.target, statement.filter ? evaluate.pipe(statement.filter, text, scope) : text, scope);
        return '';
      }
      case 'with': {
        const inner = new Scope(scope);
        for (const { target, value } of statement.assignments) assign(target, evaluate(value, scope), inner);
        return run(statement.body, inner);
      }
      case 'filterBlock':
        return str(evaluate.pipe(statement.filter, run(statement.body, new Scope(scope)), scope), budget);
      case 'macro':
        scope.set(statement.macro.name, macro(statement.macro, scope));
        return '';
      case 'callBlock':
        return callBlock(statement, scope);
      default:
        throw new JinjaError(`unexpected ${statement.type}`);
    }
  };

  const loop = (statement: For, iterable: Value, scope: Scope, depth: number): string => {
    if (depth > MAX_CALLS) throw new JinjaError(`a recursive loop is deeper than ${MAX_CALLS} levels`);
    const passes = (value: Value): boolean => {
      if (!statement.filter) return true;
      const inner = new Scope(scope);
      assign(statement.target, value, inner);
      return truth(evaluate(statement.filter, inner));
    };
    const items = [...iterate(iterable, budget)].filter(passes);
    if (items.length === 0) return run(statement.otherwise, scope);
    const again = new Callable('loop', ({ positional: [next = null] }) => loop(statement, next, scope, depth + 1));
    const state = createLoop(items, depth, statement.recursive ? again : null);
    let text = '';
    for (const value of items) {
      budget.step();
      const inner = new Scope(scope);
      inner.set('loop', state.next());
      assign(statement.target, value, inner);
      text += run(statement.body, inner);
    }
    return text;
  };

  const callBlock = (statement: Statement & { type: 'callBlock' }, scope: Scope): string => {
    const { call, caller } = statement;
    if (call.type !== 'call') throw new JinjaError('expected call');
    const inner = macro(caller, scope);
    const args = {
      ...call.args,
      named: [...call.args.named, { name: 'caller', value: { type: 'constant', value: inner } as const }],
    };
    return str(evaluate({ ...call, args }, scope), budget);
  };

  const macro = (definition: Macro, scope: Scope): Callable =>
    new Callable(definition.name, (args) => {
      if (calls >= MAX_CALLS) throw new JinjaError(`macros call each other deeper than ${MAX_CALLS} levels`);
      calls += 1;
      const text = run(definition.body, bind(definition, args, scope));
      calls -= 1;
      return text;
    });
  const bind = (definition: Macro, { positional, named }: Arguments, scope: Scope): Scope => {
    const inner = new Scope(scope);
    const left = new Map(named);
    definition.parameters.forEach(({ name, fallback }, i) => {
      const given = i < positional.length ? positional[i] : left.get(name);
      left.delete(name);
      const missing = () => new Undefined(`parameter '${name}' was not provided`);
      inner.set(name, given ?? (given === null ? null : fallback ? evaluate(fallback, inner) : missing()));
    });
    const extra = positional.slice(definition.parameters.length);
    const caller = left.get('caller');
    if (caller !== undefined) inner.set('caller', caller);
    left.delete('caller');
    inner.set('varargs', Tuple.make(extra));
    inner.set('kwargs', new Map<Value, Value>(left));
    if (extra.length > 0 && !definition.uses.has('varargs'))
      throw new JinjaError(
        `macro '${definition.name}' takes not more than ${definition.parameters.length} argument(s)`,
      );
    const [unknown] = left.keys();
    if (unknown !== undefined && !definition.uses.has('kwargs'))
      throw new JinjaError(`macro '${definition.name}' takes no keyword argument '${unknown}'`);
    return inner;
  };

  return (program) => run(program, new Scope(globals));
}
