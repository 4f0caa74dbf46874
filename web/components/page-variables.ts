import { searchParameter } from '../router.ts';

/** The page of a list that the address names, as arguments of a connection; it reads the address reactively. */
export function pageVariables(size: number) {
  const before = searchParameter('before');
  if (before) return { last: size, before };
  const after = searchParameter('after');
  return { first: size, ...(after ? { after } : {}) };
}
