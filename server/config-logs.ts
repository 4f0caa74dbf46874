/** Where logs go once their tasks have ended. */
import { z } from 'zod';
import { boolean, bytes, httpUrl, path, text } from './config-values.ts';
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
  MILLRACE_LOG_S3_BUCKET: {
    schema: text.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
    about:
      'Bucket of the store `s3`. Credentials are found as every AWS client finds them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, the service account of a Pod, the instance.',
  },
  MILLRACE_LOG_S3_PREFIX: {
    schema: text.regex(/^[\w./-]{1,200}$/, 'must be a part of a key'),
    about: 'Begins the keys of all logs, such as `millrace/logs/`.',
    fallback: 'nothing',
  },
  MILLRACE_LOG_S3_ENDPOINT: { schema: httpUrl, about: 'Address of a compatible service.', fallback: 'that of AWS' },
  MILLRACE_LOG_S3_REGION: {
    schema: text.regex(/^[\w-]{1,50}$/, 'must be a region'),
    about: 'Region of the bucket.',
    fallback: '`us-east-1`',
  },
  MILLRACE_LOG_S3_PATH_STYLE: {
    schema: boolean,
    about: 'The bucket stands in the path of addresses, not in the name of the host.',
    fallback: '`true` with an endpoint',
  },
  MILLRACE_LOG_ELASTICSEARCH_URL: {
    schema: httpUrl,
    about: 'Address of Elasticsearch 7.8 or newer, or of OpenSearch, for the store `elasticsearch`.',
  },
  MILLRACE_LOG_ELASTICSEARCH_API_KEY: { schema: text.min(1), about: 'Its API key, encoded.' },
  MILLRACE_LOG_ELASTICSEARCH_USER: { schema: text.min(1), about: 'Its user, where there is no API key.' },
  MILLRACE_LOG_ELASTICSEARCH_PASSWORD: { schema: text.min(1), about: 'The password of the user.' },
  MILLRACE_LOG_ELASTICSEARCH_INDEX: {
    schema: text.regex(/^[a-z0-9][a-z0-9_-]{0,99}$/, 'must be small letters, digits, _ and -'),
    about: 'Begins the names of the indexes of logs; what follows is a day or a month.',
    fallback: '`millrace-logs`',
  },
  MILLRACE_LOG_ELASTICSEARCH_PERIOD: {
    schema: z.enum(['day', 'month']),
    about: 'What has an index of its own: day or month.',
    fallback: '`month`',
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
  if (store === 's3') need('MILLRACE_LOG_S3_BUCKET', LOG_VARIABLES.MILLRACE_LOG_S3_BUCKET.about);
  if (store === 'elasticsearch')
    need('MILLRACE_LOG_ELASTICSEARCH_URL', LOG_VARIABLES.MILLRACE_LOG_ELASTICSEARCH_URL.about);
  const { MILLRACE_LOG_ELASTICSEARCH_API_KEY: key, MILLRACE_LOG_ELASTICSEARCH_USER: user } = values;
  if (key !== undefined && user !== undefined)
    mistakes.push('MILLRACE_LOG_ELASTICSEARCH_API_KEY: not together with MILLRACE_LOG_ELASTICSEARCH_USER.');
  if ((user === undefined) !== (values.MILLRACE_LOG_ELASTICSEARCH_PASSWORD === undefined))
    mistakes.push('MILLRACE_LOG_ELASTICSEARCH_USER: only together with MILLRACE_LOG_ELASTICSEARCH_PASSWORD.');
  return mistakes;
}

/** `ownFolder`: where logs lie unless a folder is named. */
export function logStoreConfig(values: Values, ownFolder: string | null): LogStoreConfig {
  const folder = values.MILLRACE_LOG_FOLDER ?? ownFolder;
  return {
    current: values.MILLRACE_LOG_STORE ?? 'postgres',
    archiveFrom: values.MILLRACE_LOG_ARCHIVE_FROM ?? null,
    file: folder === null ? null : { folder },
    s3: s3Config(values),
    elasticsearch: elasticsearchConfig(values),
  };
}

function s3Config(values: Values): LogStoreConfig['s3'] {
  const { MILLRACE_LOG_S3_BUCKET: bucket, MILLRACE_LOG_S3_ENDPOINT: endpoint = null } = values;
  if (bucket === undefined) return null;
  return {
    bucket,
    endpoint,
    prefix: values.MILLRACE_LOG_S3_PREFIX ?? '',
    region: values.MILLRACE_LOG_S3_REGION ?? null,
    pathStyle: values.MILLRACE_LOG_S3_PATH_STYLE ?? endpoint !== null,
  };
}

function elasticsearchConfig(values: Values): LogStoreConfig['elasticsearch'] {
  const { MILLRACE_LOG_ELASTICSEARCH_URL: url } = values;
  if (url === undefined) return null;
  return {
    url,
    apiKey: values.MILLRACE_LOG_ELASTICSEARCH_API_KEY ?? null,
    user: values.MILLRACE_LOG_ELASTICSEARCH_USER ?? null,
    password: values.MILLRACE_LOG_ELASTICSEARCH_PASSWORD ?? null,
    index: values.MILLRACE_LOG_ELASTICSEARCH_INDEX ?? 'millrace-logs',
    period: values.MILLRACE_LOG_ELASTICSEARCH_PERIOD ?? 'month',
  };
}
