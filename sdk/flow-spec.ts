/** What tasks that decide say beyond what every task says. */
import type { Json } from './protocol.ts';

/** How a decision is made: a function, or templates that need no code. */
export const DECISION_RUNTIMES = ['typescript', 'python', 'template'] as const;
export type DecisionRuntime = (typeof DECISION_RUNTIMES)[number];

interface DecisionFields {
  runtime: DecisionRuntime;
  /** With the runtime `python`, as in a python task. */
  callable: string | null;
  source: string | null;
  args: { [name: string]: Json };
}
/** Chooses which of its direct downstream tasks go on; the others are skipped. */
export interface BranchFields extends DecisionFields {
  kind: 'branch';
  /** With the runtime `template`: the first whose `when` renders to something true. */
  choose: { /** Templated; null: otherwise. */ when: string | null; /** Task or group ids. */ then: string[] }[];
  /** Groups that may be chosen, with the direct downstream tasks that stand for them. Made by validation. */
  targets: { [groupId: string]: string[] };
}
/** Skips what comes after it unless its condition holds. */
export interface ShortCircuitFields extends DecisionFields {
  kind: 'short_circuit';
  /** With the runtime `template`. */
  condition: string | null;
  /** True: everything below it is skipped. False: its direct downstream is, and then trigger rules decide. */
  ignoreTriggerRules: boolean;
}
