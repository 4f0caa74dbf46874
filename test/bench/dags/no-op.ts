/** Tasks that return at once, in TypeScript: what is measured is everything around them. */
import { noOpDag } from './no-op-dag.ts';

export const chain10 = noOpDag('chain10');
export const chain40 = noOpDag('chain40');
export const parallel40 = noOpDag('parallel40');
export const diamond10 = noOpDag('diamond10');
