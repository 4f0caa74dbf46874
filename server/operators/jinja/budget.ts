import { JinjaError } from './values.ts';

/** What a template may use up: it runs in a process that many tasks share. Counted, not timed: the same template always ends alike. */
export interface Budget {
  /** One for each node that is evaluated, more for work on long lists and texts. */
  step(count?: number): void;
  /** A text or list of this length is about to be made. */
  size(length: number): void;
}

const MOST_STEPS = 200_000;
/** Characters and list items made along the way, the result among them. */
const MOST_MADE = 4 * 1024 * 1024;

export function createBudget(): Budget {
  let steps = 0;
  let made = 0;
  return {
    step(count = 1) {
      steps += count;
      if (steps > MOST_STEPS) throw new JinjaError(`it takes more than ${MOST_STEPS} steps; do such work in a task`);
    },
    size(length) {
      made += length;
      if (made > MOST_MADE)
        throw new JinjaError(`it makes more than ${MOST_MADE / 1024 / 1024} Mi characters; do such work in a task`);
    },
  };
}
