import type { Prepare } from './launch.ts';

/** The engine settles empty tasks itself; one that comes here has nothing to do. */
export const prepareEmpty: Prepare<'empty'> = () => ({ how: 'nothing' });
