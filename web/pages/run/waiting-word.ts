import type { WaitingReason } from './reason-wishes.ts';

type Words = Record<'waiting' | 'starting', Record<string, string>>;

/** A reason in a few words, for a row of a list; empty: nothing is wrong, it takes a moment. */
export function waitingWord({ kind, details }: Pick<WaitingReason, 'kind' | 'details'>, words: Words): string {
  const why = typeof details === 'object' && details !== null && 'why' in details ? details.why : null;
  if (kind === 'OBJECT_STARTING') return typeof why === 'string' ? (words.starting[why] ?? why) : '';
  return words.waiting[kind] ?? '';
}
