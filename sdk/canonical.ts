/** JSON with sorted keys and no spaces: equal values give equal text, so it can be hashed. */
export const canonicalJson = (value: unknown): string => JSON.stringify(sorted(value)) ?? 'null';

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  // Without a prototype `__proto__` is a key like any other
  const copy = Object.create(null) as { [key: string]: unknown };
  for (const key of Object.keys(value).sort()) copy[key] = sorted((value as { [key: string]: unknown })[key]);
  return copy;
}
