import type { Prepare } from './launch.ts';

/** The function is in the bundle; its inputs are in the dispatch. */
export const prepareTypeScript: Prepare<'typescript'> = () => ({ how: 'node' });
