/** The tree of a parsed template. */
import type { Value } from './values.ts';

export interface CallArguments {
  positional: Expression[];
  named: { name: string; value: Expression }[];
  /** `*list` and `**dict`. */
  list: Expression | null;
  dict: Expression | null;
}

export type Expression =
  | { type: 'constant'; value: Value }
  | { type: 'name'; name: string }
  | { type: 'list' | 'tuple'; items: Expression[] }
  | { type: 'dict'; entries: [Expression, Expression][] }
  | { type: 'member'; object: Expression; name: string }
  | { type: 'item'; object: Expression; key: Expression }
  | { type: 'slice'; object: Expression; start: Expression | null; stop: Expression | null; step: Expression | null }
  | { type: 'call'; callee: Expression; args: CallArguments }
  /** `operand` null: what a filter block holds. */
  | { type: 'filter'; operand: Expression | null; name: string; args: CallArguments }
  | { type: 'test'; operand: Expression; name: string; args: CallArguments }
  | { type: 'unary'; operator: '-' | '+' | 'not'; operand: Expression }
  | { type: 'binary'; operator: string; left: Expression; right: Expression }
  | { type: 'logic'; operator: 'and' | 'or'; left: Expression; right: Expression }
  | { type: 'compare'; first: Expression; rest: { operator: string; operand: Expression }[] }
  | { type: 'concat'; parts: Expression[] }
  | { type: 'condition'; test: Expression; then: Expression; otherwise: Expression | null };

/** Where an assignment goes: a name, names, or a member of a namespace. */
export type Target =
  | { type: 'name'; name: string }
  | { type: 'names'; targets: Target[] }
  | { type: 'namespace'; name: string; member: string };

export interface Macro {
  name: string;
  parameters: { name: string; fallback: Expression | null }[];
  body: Statement[];
  /** `caller`, `varargs`, `kwargs` where its body speaks of them. */
  uses: ReadonlySet<string>;
}

export type Statement =
  | { type: 'data'; text: string }
  | { type: 'output'; expression: Expression }
  | { type: 'if'; branches: { test: Expression; body: Statement[] }[]; otherwise: Statement[] }
  | {
      type: 'for';
      target: Target;
      iterable: Expression;
      filter: Expression | null;
      recursive: boolean;
      body: Statement[];
      otherwise: Statement[];
    }
  | { type: 'set'; target: Target; value: Expression }
  | { type: 'capture'; target: Target; filter: Expression | null; body: Statement[] }
  | { type: 'with'; assignments: { target: Target; value: Expression }[]; body: Statement[] }
  | { type: 'filterBlock'; filter: Expression; body: Statement[] }
  | { type: 'macro'; macro: Macro }
  | { type: 'callBlock'; call: Expression; caller: Macro }
  | { type: 'do'; expression: Expression };
