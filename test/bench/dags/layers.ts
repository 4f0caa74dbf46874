/** 10,000 tasks in 100 layers. */
import { noOpDag } from './no-op-dag.ts';

export const layers = noOpDag('layers');
