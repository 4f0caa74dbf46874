import { join, relative, isAbsolute } from 'node:path';
import { OperatorFailure } from '../operator-host.ts';

/** A file of the DAG's bundle; nothing outside of it. */
export function bundlePath(bundleDir: string | null, file: string): string {
  const refuse = (message: string) => new OperatorFailure('result_invalid', message, { retryable: false });
  if (bundleDir === null) throw refuse(`The DAG carries no files. Name '${file}' in its 'files'.`);
  const path = join(bundleDir, file);
  const inside = relative(bundleDir, path);
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside))
    throw refuse(`'${file}' is not relative to the DAG file.`);
  return path;
}
