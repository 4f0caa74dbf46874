/** Child process: loads one DAG file (first argument; second: where the search for requirements.txt ends; third: the folder that it may not leave, if there is one) and writes what it holds, as JSON, to file descriptor 3. */
import { createWriteStream } from 'node:fs';
import { extname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { bundleSource } from './bundle-source.ts';
import { errorOf } from './load-error.ts';
import { SOURCE_EXTENSIONS, type LoadedFileMessage } from './loaded-file.ts';

const FAILED: LoadedFileMessage = { dags: [], bundle: null, errors: [], inputs: [] };

/** Who limits this process may be killed. A thread of its own sees it, since the file may keep the others busy for ever. */
function endWithParent(): void {
  const watch = `setInterval(() => process.ppid === ${process.ppid} || process.kill(-process.pid, 'SIGKILL'), 1000)`;
  new Worker(watch, { eval: true, execArgv: [], env: {} }).unref();
}

async function main(path: string, top: string, root: string | undefined): Promise<void> {
  process.setSourceMapsEnabled(true);
  endWithParent();
  // esbuild works in a process of its own, while this one loads the rest of its modules.
  const bundling = SOURCE_EXTENSIONS.includes(extname(path)) ? bundleSource(path, root) : null;
  const { readDagFile } = await import('./read-dag-file.ts');
  const message = await readDagFile(path, () => bundling ?? bundleSource(path, root), {
    top,
    ...(root !== undefined && { root }),
  }).catch((error: unknown) => ({
    ...FAILED,
    errors: [errorOf(error, path)],
  }));
  const out = createWriteStream('', { fd: 3 });
  // The file may have left timers and sockets behind: they must not keep this process.
  out.end(JSON.stringify(message), () => process.exit(0));
}

await main(resolve(process.argv[2] ?? ''), resolve(process.argv[3] ?? ''), process.argv[4]);
