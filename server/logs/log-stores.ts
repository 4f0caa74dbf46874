/** The stores that this process knows how to reach: the one that is written to, and others that logs of before lie in. */
import type { ElasticsearchConfig } from './elasticsearch-client.ts';
import type { LogStore, LogStoreName } from './log-store.ts';
import type { S3StoreConfig } from './s3-store.ts';

export interface FileStoreConfig {
  folder: string;
}

export interface LogStoreConfig {
  /** Where sealed logs go. */
  current: LogStoreName;
  /** Shorter logs stay in Postgres; null: what suits the store. */
  archiveFrom: number | null;
  file: FileStoreConfig | null;
  s3: S3StoreConfig | null;
  elasticsearch: ElasticsearchConfig | null;
}

export const ONLY_POSTGRES: LogStoreConfig = {
  current: 'postgres',
  archiveFrom: null,
  file: null,
  s3: null,
  elasticsearch: null,
};

export interface LogStores {
  /** Null: logs stay in Postgres. */
  current: { name: string; archiveFrom: number } | null;
  /** Those that can be reached. */
  known: readonly string[];
  /** Rejects with what to configure when logs lie in a store that this process does not know. */
  reading(name: string): Promise<LogStore>;
  close(): void;
}

/** What is shorter costs a store more than Postgres: an object, a request, a file. Elasticsearch searches across all of them. */
const ARCHIVE_FROM: { [store in LogStoreName]: number } = {
  postgres: 0,
  file: 64 * 1024,
  s3: 64 * 1024,
  elasticsearch: 0,
};

/** Clients are loaded when they are first needed. */
export function createLogStores(config: LogStoreConfig): LogStores {
  const open: { [name: string]: (() => Promise<LogStore>) | undefined } = {
    ...(config.file && { file: () => openFileStore(config.file!) }),
    ...(config.s3 && { s3: () => openS3Store(config.s3!) }),
    ...(config.elasticsearch && { elasticsearch: () => openElasticsearchStore(config.elasticsearch!) }),
  };
  const opened = new Map<string, Promise<LogStore>>();
  const { current } = config;
  return {
    current:
      current === 'postgres' ? null : { name: current, archiveFrom: config.archiveFrom ?? ARCHIVE_FROM[current] },
    known: Object.keys(open),
    async reading(name) {
      const opening = opened.get(name) ?? open[name]?.();
      if (!opening)
        throw new LogStoreUnknown(
          `This log lies in the log store "${name}", which is not configured here: set ${MOST_OF_ALL[name] ?? 'its variables'} as it was.`,
        );
      opened.set(name, opening);
      return opening;
    },
    close() {
      for (const store of opened.values())
        store.then(
          ({ close }) => close?.(),
          () => undefined,
        );
    },
  };
}

const MOST_OF_ALL: { [name: string]: string } = {
  file: 'MILLRACE_LOG_FOLDER',
  s3: 'MILLRACE_LOG_S3_BUCKET',
  elasticsearch: 'MILLRACE_LOG_ELASTICSEARCH_URL',
};

/** Says what to configure. */
export class LogStoreUnknown extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LogStoreUnknown';
  }
}

const openFileStore = async ({ folder }: FileStoreConfig): Promise<LogStore> =>
  (await import('./file-store.ts')).createFileStore(folder);

const openS3Store = async (config: S3StoreConfig): Promise<LogStore> =>
  (await import('./s3-store.ts')).createS3Store(config);

const openElasticsearchStore = async (config: ElasticsearchConfig): Promise<LogStore> =>
  (await import('./elasticsearch-store.ts')).createElasticsearchStore(config);
