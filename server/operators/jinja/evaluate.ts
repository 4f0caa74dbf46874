/** The value of an expression. */
import { createBudget, read, type Budget } from './budget.ts';
import { isFilter, runFilter, type FilterContext } from './filters.ts';
import { item, member } from './members.ts';
import type { CallArguments, Expression } from './nodes.ts';
import { binary, comparison, slice, unary } from './operators.ts';
import type { Scope } from './scope.ts';
import { runTest } from './tests.ts';
import {
  Callable,
  dictKey,
  isDict,
  iterate,
  JinjaError,
  str,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Value,
} from './values.ts';

export interface Evaluator {
  (node: Expression, scope: Scope): Value;
  call(callee: Value, args: Arguments, where: string): Value;
  /** Applies a chain of filters whose innermost operand is null to this value. */
  pipe(filters: Expression, operand: Value, scope: Scope): Value;
}

export function createEvaluator(budget: Budget): Evaluator {
  const call = (callee: Value, args: Arguments, where: string): Value => {
    if (callee instanceof Undefined) return callee.fail();
    if (!(callee instanceof Callable)) throw new JinjaError(`${where}: '${typeName(callee)}' object is not callable`);
    return callee.call(args);
  };
  const context: FilterContext = {
    budget,
    filter: (name, operand, args) => {
      budget.step();
      return runFilter(name, operand, args, context);
    },
    test: (name, operand, args) => {
      budget.step();
      return runTest(name, operand, args.positional, { isFilter, budget });
    },
    member: (object, name) => member(object, name, `'${name}'`, budget),
    call: (callee, args) => call(callee, args, 'the argument'),
  };

  const argumentsOf = (args: CallArguments, scope: Scope): Arguments => {
    const positional = args.positional.map((node) => evaluate(node, scope));
    const named = new Map(args.named.map(({ name, value }) => [name, evaluate(value, scope)]));
    const list = args.list ? iterate(evaluate(args.list, scope), budget) : [];
    read(budget, list.length);
    budget.size(list.length);
    for (const each of list) positional.push(each);
    const dict = args.dict ? evaluate(args.dict, scope) : new Map<Value, Value>();
    if (!isDict(dict)) throw new JinjaError('argument after ** must be a mapping');
    for (const [name, value] of dict) named.set(str(name, budget), value);
    return { positional, named, budget };
  };

  const concat = (parts: readonly Expression[], scope: Scope): string => {
    const texts = parts.map((part) => str(evaluate(part, scope), budget));
    budget.size(texts.reduce((sum, text) => sum + text.length, 0));
    return texts.join('');
  };
  const compareChain = (node: Expression & { type: 'compare' }, scope: Scope): boolean => {
    let left = evaluate(node.first, scope);
    for (const { operator, operand } of node.rest) {
      const right = evaluate(operand, scope);
      if (!comparison(operator, left, right, budget)) return false;
      left = right;
    }
    return true;
  };
  const lookUp = (name: string, scope: Scope): Value => {
    const value = scope.get(name);
    return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
  };
  const filtered = (node: Expression & { type: 'filter' }, operand: Value, scope: Scope): Value =>
    context.filter(node.name, operand, argumentsOf(node.args, scope));

  const evaluate = (node: Expression, scope: Scope): Value => {
    budget.step();
    switch (node.type) {
      case 'constant':
        return node.value;
      case 'name':
        return lookUp(node.name, scope);
      case 'list':
        return node.items.map((each) => evaluate(each, scope));
      case 'tuple':
        return Tuple.make(node.items.map((each) => evaluate(each, scope)));
      case 'dict':
        return new Map(node.entries.map(([key, value]) => [dictKey(evaluate(key, scope)), evaluate(value, scope)]));
      case 'member':
        return member(evaluate(node.object, scope), node.name, pathOf(node), budget);
      case 'item':
        return item(evaluate(node.object, scope), evaluate(node.key, scope), pathOf(node), budget);
      case 'call':
        return call(evaluate(node.callee, scope), argumentsOf(node.args, scope), pathOf(node.callee));
      case 'filter':
        return filtered(node, node.operand ? evaluate(node.operand, scope) : null, scope);
      default:
        return operation(node, scope);
    }
  };
  const operation = (node: Expression, scope: Scope): Value => {
    switch (node.type) {
      case 'slice': {
        const bound = (each: Expression | null) => (each ? evaluate(each, scope) : null);
        return slice(evaluate(node.object, scope), [bound(node.start), bound(node.stop), bound(node.step)], budget);
      }
      case 'test':
        return context.test(node.name, evaluate(node.operand, scope), argumentsOf(node.args, scope));
      case 'unary': {
        const operand = evaluate(node.operand, scope);
        return node.operator === 'not' ? !truth(operand) : unary(node.operator, operand);
      }
      case 'binary':
        return binary(node.operator, evaluate(node.left, scope), evaluate(node.right, scope), budget);
      case 'logic': {
        const left = evaluate(node.left, scope);
        return truth(left) === (node.operator === 'and') ? evaluate(node.right, scope) : left;
      }
      case 'compare':
        return compareChain(node, scope);
      case 'concat':
        return concat(node.parts, scope);
      case 'condition':
        if (truth(evaluate(node.test, scope))) return evaluate(node.then, scope);
        if (node.otherwise) return evaluate(node.otherwise, scope);
        // Jinja's undefined value here is one that prints as nothing
        return '';
      default:
        throw new JinjaError(`unexpected ${node.type}`);
    }
  };

  const pipe = (node: Expression, operand: Value, scope: Scope): Value => {
    if (node.type !== 'filter') throw new JinjaError('expected a filter');
    return filtered(node, node.operand ? pipe(node.operand, operand, scope) : operand, scope);
  };
  return Object.assign(evaluate, { call, pipe });
}

const constant = (value: Value): string => JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : value);

/** `'params.region'` for a message. */
export function pathOf(node: Expression): string {
  const path = (each: Expression): string => {
    if (each.type === 'name') return each.name;
    if (each.type === 'member') return `${path(each.object)}.${each.name}`;
    if (each.type === 'item')
      return `${path(each.object)}[${each.key.type === 'constant' ? constant(each.key.value) : '…'}]`;
    if (each.type === 'call') return `${path(each.callee)}(…)`;
    if (each.type === 'filter') return each.operand ? path(each.operand) : '…';
    return each.type === 'constant'
      ? (typeof each.value === 'string' ? each.value : str(each.value, createBudget())).slice(0, 40)
      : '(…)';
  };
  return `'${path(node)}'`;
}
