import { causeWords } from './causes.ts';
import { table } from './table.svelte.ts';

export const causeText = table(causeWords);
