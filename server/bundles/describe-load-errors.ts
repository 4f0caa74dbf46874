import { relative } from 'node:path';
import type { LoadError } from './bundle-source.ts';

/** A line each, with places relative to `base`. */
export const describeLoadErrors = (errors: readonly LoadError[], base: string): string =>
  errors.map((error) => [placeOf(error, base), error.message].filter(Boolean).join(': ')).join('\n');

function placeOf({ file, line, column }: LoadError, base: string): string {
  if (!file) return '';
  return [relative(base, file) || file, line, line === null ? null : column].filter((part) => part !== null).join(':');
}
