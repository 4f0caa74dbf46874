import { resolve, sep } from 'node:path';
import { describeLoadErrors } from '../bundles/describe-load-errors.ts';
import { loadDagFile } from '../bundles/load-dag-file.ts';
import type { LoadedFile } from '../bundles/loaded-file.ts';
import { CommandError } from './command-error.ts';

/** A requirements.txt is looked for up to `base`, where the file lies below it. */
export const topOf = (file: string, base: string): { top?: string } =>
  resolve(file).startsWith(resolve(base) + sep) ? { top: base } : {};

/** Loads a DAG file, or fails with all that is wrong with it, a line each. */
export async function loadFileOrFail(file: string, base: string): Promise<LoadedFile> {
  const loaded = await loadDagFile(file, topOf(file, base));
  if (loaded.errors.length > 0) throw new CommandError(describeLoadErrors(loaded.errors, base));
  return loaded;
}
