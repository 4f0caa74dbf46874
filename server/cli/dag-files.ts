import { statSync } from 'node:fs';
import { findDagFiles } from '../bundles/find-dag-files.ts';
import { CommandError } from './command-error.ts';

/** The file itself, or the DAG files of the folder. */
export function filesOf(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new CommandError(`There is no file or folder ${path}.`);
  return found.isDirectory() ? findDagFiles(path) : [path];
}
