import { relative } from 'node:path';
import type { LoadError } from '../bundles/bundle-source.ts';
import { loadDagFile } from '../bundles/load-dag-file.ts';
import type { LoadedFile } from '../bundles/loaded-file.ts';
import { CommandError } from './command-error.ts';

/** Loads a DAG file, or fails with all that is wrong with it, a line each. */
export async function loadFileOrFail(file: string, base: string): Promise<LoadedFile> {
  const loaded = await loadDagFile(file);
  if (loaded.errors.length > 0) throw new CommandError(describeLoadErrors(loaded.errors, base));
  return loaded;
}

export const describeLoadErrors = (errors: readonly LoadError[], base: string): string =>
  errors.map((error) => [placeOf(error, base), error.message].filter(Boolean).join(': ')).join('\n');

function placeOf({ file, line, column }: LoadError, base: string): string {
  if (!file) return '';
  return [relative(base, file) || file, line, line === null ? null : column].filter((part) => part !== null).join(':');
}
