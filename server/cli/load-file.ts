import { describeLoadErrors } from '../bundles/describe-load-errors.ts';
import { loadDagFile } from '../bundles/load-dag-file.ts';
import type { LoadedFile } from '../bundles/loaded-file.ts';
import { CommandError } from './command-error.ts';

/** Loads a DAG file, or fails with all that is wrong with it, a line each. */
export async function loadFileOrFail(file: string, base: string): Promise<LoadedFile> {
  const loaded = await loadDagFile(file);
  if (loaded.errors.length > 0) throw new CommandError(describeLoadErrors(loaded.errors, base));
  return loaded;
}
