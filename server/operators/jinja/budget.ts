import { JinjaError } from './jinja-error.ts';

/** What a template may use up: it runs in a process that many tasks share. Counted, not timed: the same template always ends alike. */
export interface Budget {
  /** One for each node that is evaluated, more for work on long lists and texts. */
  step(count?: number): void;
  /** A text or list of this length is about to be made. */
  size(length: number): void;
}

/** For work that goes once through a text or list of this length. */
export const read = (budget: Budget, length: number): void => budget.step(1 + Math.floor(length / 1000));

/** For looking for one text in another: at worst each character is compared with each. */
export const search = (budget: Budget, text: string, sought: string): void =>
  budget.step(1 + Math.floor((text.length * (sought.length + 10)) / 10_000));

/** For a text, list or dict that was made. */
export function made<Of>(budget: Budget, value: Of): Of {
  if (typeof value === 'string' || Array.isArray(value)) budget.size(value.length);
  else if (value instanceof Map) budget.size(value.size);
  return value;
}

const MOST_STEPS = 200_000;
/** Characters and list items made along the way, the result among them. */
const MOST_MADE = 4 * 1024 * 1024;

export function createBudget(): Budget {
  let steps = 0;
  let total = 0;
  return {
    step(count = 1) {
      steps += count;
      if (steps > MOST_STEPS) throw new JinjaError(`it takes more than ${MOST_STEPS} steps; do such work in a task`);
    },
    size(length) {
      total += length;
      if (total > MOST_MADE)
        throw new JinjaError(`it makes more than ${MOST_MADE / 1024 / 1024} Mi characters; do such work in a task`);
    },
  };
}
