import type { LoadError } from './bundle-source.ts';

const FRAME = /\(?(?:file:\/\/)?(\/[^\s():]+|[A-Za-z]:\\[^\s():]+):(\d+):(\d+)\)?/;

/** What a DAG file threw, with the first line of the stack that lies in the user's code. */
export function errorOf(error: unknown, file: string): LoadError {
  if (!(error instanceof Error)) return { message: `The file threw ${String(error)}.`, file, line: null, column: null };
  const message = error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  for (const frame of frames) {
    const [, path, line, column] = FRAME.exec(frame) ?? [];
    if (path === undefined || isOwnCode(path)) continue;
    return { message, file: path, line: Number(line), column: Number(column) };
  }
  return { message, file, line: null, column: null };
}

const isOwnCode = (path: string) =>
  path.includes('/node_modules/') || /\/(sdk\/[\w-]+|server\/bundles\/[\w-]+|dist\/.*)\.(ts|js)$/.test(path);
