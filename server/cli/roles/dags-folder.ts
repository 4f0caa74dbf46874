import { existsSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { findDagFiles } from '../../bundles/find-dag-files.ts';
import type { KnownFile } from '../../bundles/gone-dags.ts';
import { createSourceFiles, type DagSource } from '../../bundles/source-files.ts';
import type { Logger } from '../../log.ts';

export interface DagsFolderDeps extends DagSource {
  log: Logger;
  debounceMs?: number;
}

export interface DagsFolder {
  /** Loads every file, then watches. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const IGNORED = /(^|[\\/])(node_modules|__pycache__|\.)|~$/;

/** Keeps the service's DAGs equal to a folder of DAG files. Passes over the folder never overlap. */
export function createDagsFolder(deps: DagsFolderDeps): DagsFolder {
  const { folder, log, debounceMs = 150 } = deps;
  const source = createSourceFiles(deps, log);
  const changed = new Set<string>();
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();
  let stopped = false;

  async function pass(paths: readonly string[]): Promise<void> {
    const files = findDagFiles(folder);
    for (const file of [...source.known.keys()].filter((known) => !files.includes(known))) await source.forget(file);
    await source.load(
      files.filter((file) => isDue(file, source.known.get(file), paths)),
      () => stopped,
    );
    if (!stopped) await source.deactivateGone();
  }

  function enqueue(): void {
    working = working
      .then(() => {
        const paths = [...changed];
        changed.clear();
        return stopped ? undefined : pass(paths);
      })
      .catch((error: unknown) => log.error({ error, folder }, 'the DAG folder could not be read'));
  }

  return {
    async start() {
      if (!existsSync(folder))
        throw new Error(`The DAG folder ${folder} does not exist. Create it, or set MILLRACE_DAGS.`);
      // Watching comes first: a change during the first pass is seen.
      watcher = watch(folder, { recursive: true }, (_event, name) => {
        if (!name || IGNORED.test(name)) return;
        changed.add(join(folder, name));
        clearTimeout(timer);
        timer = setTimeout(enqueue, debounceMs);
      });
      watcher.on('error', (error) => log.error({ error, folder }, 'the DAG folder is no longer watched'));
      enqueue();
      await working;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      watcher?.close();
      await working;
    },
  };
}

/** New, changed, or one that read a changed file. What nobody is known to have read may be what any file waits for. */
function isDue(file: string, known: KnownFile | undefined, paths: readonly string[]): boolean {
  if (!known || paths.includes(file)) return true;
  if (known.inputs.length === 0) return paths.length > 0;
  return paths.some((path) => known.inputs.includes(path));
}
