import type { LogStoreHealth } from '#db/queries/log-stores.ts';
import type { ArchiverMetrics } from '../logs/log-archiver.ts';
import type { Instruments } from './instruments.ts';

/** Undefined: there is no log store. */
export type LogStoreReader = () => Promise<LogStoreHealth | undefined>;

export const countLogs = ({ add, observe }: Instruments): ArchiverMetrics => ({
  archived(store, bytes, seconds) {
    add('millrace_logs_archived_total', { store }, 1);
    add('millrace_logs_archived_bytes_total', { store }, bytes);
    observe('millrace_log_archive_seconds', { store }, seconds);
  },
  failed: (store) => add('millrace_log_archive_failures_total', { store }, 1),
  deleted: (store, logs) => add('millrace_logs_deleted_total', { store }, logs),
});

export async function tellLogStore({ set, clear }: Instruments, read: LogStoreReader): Promise<void> {
  const health = await read().catch(() => undefined);
  clear('millrace_logs_waiting');
  clear('millrace_log_store_up');
  if (!health) return;
  set('millrace_logs_waiting', { store: health.name }, health.waiting);
  set('millrace_log_store_up', { store: health.name }, health.failingSince ? 0 : 1);
}
