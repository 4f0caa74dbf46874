import type { Mask } from './mask.ts';

/** What the templates of a try came to, for people: without secrets, and not too long. */
export interface RenderedFieldsLog {
  add(field: string, text: string): void;
  /** Null: the task has no templates. */
  all(): { [field: string]: string } | null;
}

const MOST_OF_ONE = 8 * 1024;
const MOST_OF_ALL = 64 * 1024;

export function createRenderedFields(mask: Mask): RenderedFieldsLog {
  const fields: { [field: string]: string } = {};
  let room = MOST_OF_ALL;
  return {
    add(field, text) {
      const whole = mask(text);
      const most = Math.min(MOST_OF_ONE, room);
      fields[field] = whole.length > most ? `${whole.slice(0, most)} … [${whole.length} characters]` : whole;
      room = Math.max(0, room - (fields[field]?.length ?? 0));
    },
    all: () => (Object.keys(fields).length > 0 ? fields : null),
  };
}
