import { existsSync, watch, type FSWatcher } from 'node:fs';
import { relative } from 'node:path';
import type { Logger } from '../../log.ts';
import { findDagFiles } from '../dag-files.ts';

export interface DagsFolderDeps {
  folder: string;
  /** Deploys what the file holds; the names of its DAGs. Rejects with all that is wrong with it. */
  deployFile(file: string): Promise<string[]>;
  /** The file is as it should be, or gone. */
  clearError(file: string): Promise<void>;
  recordError(file: string, message: string): Promise<void>;
  /** A DAG that no file defines any more. */
  deactivate(dagId: string): Promise<void>;
  log: Logger;
  debounceMs?: number;
}

export interface DagsFolder {
  /** Loads every file, then watches. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Keeps the service's DAGs equal to a folder of DAG files. Passes over the folder never overlap. */
export function createDagsFolder(deps: DagsFolderDeps): DagsFolder {
  const { folder, log, debounceMs = 150 } = deps;
  /** Names by file, as last deployed. */
  const deployed = new Map<string, string[]>();
  const changed = new Set<string>();
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();
  let stopped = false;

  async function loadFile(file: string): Promise<void> {
    const name = relative(folder, file);
    try {
      const before = deployed.get(file) ?? [];
      const dagIds = await deps.deployFile(file);
      deployed.set(file, dagIds);
      await deps.clearError(file);
      log.info({ file: name, dags: dagIds.join(',') }, 'DAG file loaded');
      await dropUndefined(before);
    } catch (error) {
      log.error({ file: name }, `DAG file not loaded: ${(error as Error).message}`);
      await deps.recordError(file, (error as Error).message);
    }
  }

  async function dropUndefined(dagIds: string[]): Promise<void> {
    const defined = new Set([...deployed.values()].flat());
    for (const dagId of dagIds) if (!defined.has(dagId)) await deps.deactivate(dagId);
  }

  /** What a DAG file imports may lie anywhere in the folder: a change of something else reloads all. */
  async function pass(names: string[]): Promise<void> {
    const files = await findDagFiles(folder);
    for (const file of [...deployed.keys()].filter((known) => !files.includes(known))) {
      const dagIds = deployed.get(file) ?? [];
      deployed.delete(file);
      await deps.clearError(file);
      await dropUndefined(dagIds);
    }
    const direct = files.filter((file) => names.includes(relative(folder, file)));
    const others = names.some((name) => !direct.some((file) => relative(folder, file) === name));
    for (const file of others ? files : direct) if (!stopped) await loadFile(file);
  }

  function enqueue(): void {
    const names = [...changed];
    changed.clear();
    working = working
      .then(() => (stopped ? undefined : pass(names)))
      .catch((error: unknown) => log.error({ error, folder }, 'the DAG folder could not be read'));
  }

  return {
    async start() {
      if (!existsSync(folder))
        throw new Error(`The DAG folder ${folder} does not exist. Create it, or set MILLRACE_DAGS.`);
      // Watching comes first: a change during the first pass is seen.
      watcher = watch(folder, { recursive: true }, (_event, name) => {
        if (!name || /(^|\/)(node_modules|__pycache__|\.)/.test(name)) return;
        changed.add(name);
        clearTimeout(timer);
        timer = setTimeout(enqueue, debounceMs);
      });
      watcher.on('error', (error) => log.error({ error, folder }, 'the DAG folder is no longer watched'));
      changed.add('');
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
