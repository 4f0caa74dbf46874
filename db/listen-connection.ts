import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface ConnectionOptions {
  url: string;
  applicationName: string;
  probeMs: number;
  onNotification(channel: string, payload: string): void;
  /** Called once, and never after `close`. */
  onLost(error: Error): void;
}

export interface ListenConnection {
  listen(channel: string): Promise<void>;
  close(): Promise<void>;
}

const PROBE_TIMEOUT_MS = 5_000;

/** One connection that listens, and tells when it is lost: also when the peer vanished without a word. */
export async function openListenConnection(options: ConnectionOptions): Promise<ListenConnection> {
  const client = new pg.Client({
    connectionString: options.url,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    application_name: options.applicationName,
  });
  let over = false;
  /** One statement at a time: the driver does not queue them for us. */
  let last: Promise<unknown> = Promise.resolve();
  const query = (text: string): Promise<unknown> => {
    const next = last.then(() => client.query(text));
    last = next.catch(() => undefined);
    return next;
  };
  const timer = setInterval(() => void probe(query).catch(lost), options.probeMs);
  timer.unref();

  async function close(): Promise<void> {
    over = true;
    clearInterval(timer);
    // A connection that is broken already cannot say goodbye; there is nothing left to do about it.
    await client.end().catch(() => 'broken');
  }
  function lost(error: Error): void {
    if (over) return;
    void close();
    options.onLost(error);
  }

  client.on('error', lost);
  client.on('end', () => lost(new Error('the LISTEN connection ended')));
  client.on('notification', ({ channel, payload }) => {
    if (!over) options.onNotification(channel, payload ?? '');
  });
  try {
    await client.connect();
    if (over) throw new Error('the LISTEN connection ended as soon as it was made');
  } catch (error) {
    await close();
    throw error;
  }
  return { listen: async (channel) => void (await query(`listen ${pg.escapeIdentifier(channel)}`)), close };
}

async function probe(query: (text: string) => Promise<unknown>): Promise<void> {
  const answered = new AbortController();
  const late = sleep(PROBE_TIMEOUT_MS, 'late', { signal: answered.signal, ref: false }).catch(() => 'in time');
  const first = await Promise.race([query('select 1'), late]);
  answered.abort();
  if (first === 'late') throw new Error('the LISTEN connection does not answer');
}
