/** How long things are kept. Unless it is said, for ever: nothing is deleted that nobody has said may go. */
import { parseDuration } from '#sdk/duration.ts';
import type { RetentionPolicies } from '#db/queries/retention-policy.ts';
import { text } from './config-values.ts';

const LEAST_SECONDS = 3600;
const kept = text
  .transform((value) => parseDuration(value) ?? 0)
  .refine((seconds) => seconds >= LEAST_SECONDS, 'must be a time of at least an hour, such as 90d');

const keep = (about: string) => ({
  schema: kept,
  about: `${about}, such as 90d: [retention](retention.md).`,
  fallback: 'for ever',
});

export const RETENTION_VARIABLES = {
  MILLRACE_RETENTION_RUNS: keep('How long runs are kept after their end, with all that is theirs'),
  MILLRACE_RETENTION_LOGS: keep('How long the logs of runs that stay are kept'),
  MILLRACE_RETENTION_RESULTS: keep('How long the results of runs that stay are kept'),
  MILLRACE_RETENTION_BUNDLES: keep('How long versions of DAGs, and code, that no run uses are kept'),
  MILLRACE_RETENTION_AUDIT: keep('How long is kept who did what'),
  MILLRACE_RETENTION_ASSET_EVENTS: keep('How long updates of assets are kept'),
  MILLRACE_RETENTION_DAG_EVENTS: keep('How long changes of DAGs are kept in the log of events'),
  MILLRACE_RETENTION_JOBS: keep('How long backfills and bulk jobs that have ended are kept'),
};

type Values = { [K in keyof typeof RETENTION_VARIABLES]?: number | undefined };

export const retentionConfig = (values: Values): RetentionPolicies => ({
  runs: values.MILLRACE_RETENTION_RUNS ?? null,
  logs: values.MILLRACE_RETENTION_LOGS ?? null,
  results: values.MILLRACE_RETENTION_RESULTS ?? null,
  bundles: values.MILLRACE_RETENTION_BUNDLES ?? null,
  audit: values.MILLRACE_RETENTION_AUDIT ?? null,
  asset_events: values.MILLRACE_RETENTION_ASSET_EVENTS ?? null,
  dag_events: values.MILLRACE_RETENTION_DAG_EVENTS ?? null,
  jobs: values.MILLRACE_RETENTION_JOBS ?? null,
});
