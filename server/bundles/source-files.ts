/** The DAG files of a source: loads and deploys them, and deactivates the DAGs that none of them defines any more. */
import { relative } from 'node:path';
import type { Logger } from '../log.ts';
import { goneDags, type KnownFile, type SourceDag } from './gone-dags.ts';

/** What a file holds. */
export interface LoadedDags {
  dagIds: string[];
  /** All files that were read for it. */
  inputs: string[];
}

/** What is done with the files of one source. */
export interface DagSource {
  /** Paths count from here. */
  folder: string;
  /** Deploys what the file holds. Rejects with all that is wrong with it. */
  deployFile(file: string): Promise<LoadedDags>;
  recordError(file: string, error: Error): Promise<void>;
  /** The file is as it should be, or gone. */
  clearError(file: string): Promise<void>;
  /** The service's active DAGs that were last deployed from this source. */
  listActive(): Promise<SourceDag[]>;
  /** No file defines this DAG any more. False: it is not this source's any more. */
  deactivate(dag: SourceDag): Promise<boolean>;
}

export interface SourceFiles {
  /** Files as they were last tried. */
  known: ReadonlyMap<string, KnownFile>;
  /** A file that does not load stands beside the others. Ends early once `isStopped`, and when an error cannot be recorded. */
  load(files: readonly string[], isStopped: () => boolean): Promise<void>;
  /** The file is gone. */
  forget(file: string): Promise<void>;
  /** Last, when it is known which file a DAG that moved is in now. */
  deactivateGone(): Promise<void>;
}

/** Each load is a process of its own; more at once only wait for each other. */
const AT_ONCE = 2;

export function createSourceFiles(source: DagSource, log: Logger): SourceFiles {
  const { folder } = source;
  const known = new Map<string, KnownFile>();

  async function loadFile(file: string): Promise<void> {
    const name = relative(folder, file);
    try {
      const result = await source.deployFile(file);
      known.set(file, { ...result, failed: false });
      await source.clearError(file);
      log.info({ file: name, dags: result.dagIds.join(',') }, 'DAG file loaded');
    } catch (error) {
      // What it read is not known, so any change below the folder may mend it.
      known.set(file, { dagIds: known.get(file)?.dagIds ?? [], inputs: [], failed: true });
      await source.recordError(file, error as Error);
      log.error({ file: name }, `DAG file not loaded: ${(error as Error).message}`);
    }
  }

  return {
    known,
    async load(files, isStopped) {
      const next = files.values();
      let broken = false;
      const loadSome = async () => {
        for (const file of next) {
          if (broken || isStopped()) return;
          await loadFile(file).catch((error: unknown) => {
            broken = true;
            throw error;
          });
        }
      };
      const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, loadSome));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    },
    async forget(file) {
      known.delete(file);
      await source.clearError(file);
      log.info({ file: relative(folder, file) }, 'DAG file is gone');
    },
    // By what the service has, not by what was loaded before: files also go while nobody watches
    async deactivateGone() {
      const files = new Map([...known].map(([file, held]) => [relative(folder, file), held]));
      for (const dag of goneDags(await source.listActive(), files)) {
        if (await source.deactivate(dag))
          log.info({ dag: dag.name, file: dag.path }, 'DAG deactivated: no file defines it any more');
      }
    },
  };
}
