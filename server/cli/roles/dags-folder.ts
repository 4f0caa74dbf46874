import { existsSync, watch, type FSWatcher } from 'node:fs';
import { join, relative } from 'node:path';
import { findDagFiles } from '../../bundles/find-dag-files.ts';
import type { Logger } from '../../log.ts';
import { goneDags, type FolderDag, type KnownFile } from './gone-dags.ts';

/** What a file holds. */
export interface LoadedDags {
  dagIds: string[];
  /** All files that were read for it. */
  inputs: string[];
}

export interface DagsFolderDeps {
  folder: string;
  /** Deploys what the file holds. Rejects with all that is wrong with it. */
  deployFile(file: string): Promise<LoadedDags>;
  recordError(file: string, message: string): Promise<void>;
  /** The file is as it should be, or gone. */
  clearError(file: string): Promise<void>;
  /** The service's active DAGs that were last deployed from this folder. */
  listActive(): Promise<FolderDag[]>;
  /** No file defines this DAG any more. False: it is not this folder's any more. */
  deactivate(dag: FolderDag): Promise<boolean>;
  log: Logger;
  debounceMs?: number;
}

export interface DagsFolder {
  /** Loads every file, then watches. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Each load is a process of its own; more at once only wait for each other. */
const AT_ONCE = 2;
const IGNORED = /(^|[\\/])(node_modules|__pycache__|\.)|~$/;

/** Keeps the service's DAGs equal to a folder of DAG files. Passes over the folder never overlap. */
export function createDagsFolder(deps: DagsFolderDeps): DagsFolder {
  const { folder, log, debounceMs = 150 } = deps;
  const loaded = new Map<string, KnownFile>();
  const changed = new Set<string>();
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();
  let stopped = false;

  async function load(file: string): Promise<void> {
    const name = relative(folder, file);
    try {
      const result = await deps.deployFile(file);
      loaded.set(file, { ...result, failed: false });
      await deps.clearError(file);
      log.info({ file: name, dags: result.dagIds.join(',') }, 'DAG file loaded');
    } catch (error) {
      const message = (error as Error).message;
      // What it read is not known, so any change below the folder may mend it.
      loaded.set(file, { dagIds: loaded.get(file)?.dagIds ?? [], inputs: [], failed: true });
      log.error({ file: name }, `DAG file not loaded: ${message}`);
      await deps.recordError(file, message);
    }
  }

  async function forget(file: string): Promise<void> {
    loaded.delete(file);
    await deps.clearError(file);
    log.info({ file: relative(folder, file) }, 'DAG file is gone');
  }

  /** By what the service has, not by what was loaded before: files also go while nobody watches. */
  async function deactivateGone(): Promise<void> {
    const files = new Map([...loaded].map(([file, known]) => [relative(folder, file), known]));
    for (const dag of goneDags(await deps.listActive(), files)) {
      if (await deps.deactivate(dag))
        log.info({ dag: dag.name, file: dag.path }, 'DAG deactivated: no file defines it any more');
    }
  }

  async function pass(paths: readonly string[]): Promise<void> {
    const files = findDagFiles(folder);
    for (const file of [...loaded.keys()].filter((known) => !files.includes(known))) await forget(file);
    const due = files.filter((file) => isDue(file, loaded.get(file), paths));
    const next = due.values();
    const loadSome = async () => {
      for (const file of next) if (!stopped) await load(file);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, loadSome));
    // Last, when it is known which file a DAG that moved is in now
    if (!stopped) await deactivateGone();
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
