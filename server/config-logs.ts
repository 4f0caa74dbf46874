/** Where logs go once their tasks have ended. */
import { z } from 'zod';
import { bytes, path } from './config-values.ts';
import { LOG_STORES, type LogStoreName } from './logs/log-store.ts';
import type { LogStoreConfig } from './logs/log-stores.ts';

export const LOG_VARIABLES = {
  MILLRACE_LOG_STORE: {
    schema: z.enum(LOG_STORES),
    about: `Where [logs](logs.md) of ended tasks go, one of ${LOG_STORES.join(', ')}. The variables of the others let logs be read that lie there from before.`,
    fallback: '`postgres`',
  },
  MILLRACE_LOG_ARCHIVE_FROM: {
    schema: bytes,
    about: 'Logs shorter than this stay in Postgres, such as 64Ki; 0 has all of them go.',
    fallback: '`64Ki`, for Elasticsearch `0`',
  },
  MILLRACE_LOG_FOLDER: {
    schema: path,
    about: 'Folder of the store `file`; servers and schedulers see the same one.',
    fallback: '`logs` in MILLRACE_HOME for `start`',
  },
};

type Values = { [K in keyof typeof LOG_VARIABLES]?: z.output<(typeof LOG_VARIABLES)[K]['schema']> | undefined };

/** What the store that is chosen cannot do without. */
export function logStoreMistakes(values: Values, role: string): string[] {
  const store: LogStoreName = values.MILLRACE_LOG_STORE ?? 'postgres';
  const mistakes: string[] = [];
  const need = (name: keyof Values, why: string) => {
    if (values[name] === undefined) mistakes.push(`${name}: needed by the log store "${store}". ${why}`);
  };
  if (store === 'file' && role !== 'start') need('MILLRACE_LOG_FOLDER', LOG_VARIABLES.MILLRACE_LOG_FOLDER.about);
  return mistakes;
}

/** `ownFolder`: where logs lie unless a folder is named. */
export function logStoreConfig(values: Values, ownFolder: string | null): LogStoreConfig {
  const folder = values.MILLRACE_LOG_FOLDER ?? ownFolder;
  return {
    current: values.MILLRACE_LOG_STORE ?? 'postgres',
    archiveFrom: values.MILLRACE_LOG_ARCHIVE_FROM ?? null,
    file: folder === null ? null : { folder },
  };
}
