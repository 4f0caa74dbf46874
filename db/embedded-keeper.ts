/** Keeps the embedded PostgreSQL up: its postmaster may be killed, for want of memory or by hand, and nobody else would start it again. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { isPostgres } from './embedded-postmaster.ts';
import { startEmbeddedPostgres, type EmbeddedOptions, type EmbeddedPostgres } from './embedded.ts';

export interface KeeperOptions extends EmbeddedOptions {
  /** It was gone, and is there again at the same address. */
  onRestart(pid: number): void;
  /** It could not be started; it is tried again. */
  onError(error: unknown): void;
}

export interface KeptPostgres {
  url: string;
  /** Of the server that is there now. */
  pid(): number;
  adopted: boolean;
  /** It is not started again after this. */
  stop(): Promise<void>;
}

const PAUSE_MS = 1_000;

/** Like `startEmbeddedPostgres`; what it starts is started again on the same port whenever it is gone, until `stop`. */
export async function keepEmbeddedPostgres({ onRestart, onError, ...options }: KeeperOptions): Promise<KeptPostgres> {
  const stopped = new AbortController();
  let current: EmbeddedPostgres = await startEmbeddedPostgres(options);
  const { url, adopted } = current;
  const port = Number(new URL(url).port);

  async function keep(): Promise<void> {
    await connectionEnd(url, stopped.signal);
    if (stopped.signal.aborted) return;
    // The server closes connections for other reasons too: when one of its processes died, or somebody asked it to
    if (!(await isPostgres(current.pid))) {
      current = await startEmbeddedPostgres({ ...options, port });
      onRestart(current.pid);
    }
  }
  const kept = (async () => {
    while (!stopped.signal.aborted)
      await keep().catch(async (error: unknown) => {
        if (stopped.signal.aborted) return;
        onError(error);
        await sleep(PAUSE_MS, undefined, { signal: stopped.signal }).catch(() => 'stopped');
      });
  })();
  return {
    url,
    pid: () => current.pid,
    adopted,
    async stop() {
      stopped.abort();
      // A start under way is waited for: else it would outlive us
      await kept;
      await current.stop();
    },
  };
}

/** Resolves when a connection that does nothing has ended, or could not be made: no process tells its adopters of its death. */
async function connectionEnd(url: string, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'millrace keeper', keepAlive: true });
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  client.on('end', end).on('error', end);
  signal.addEventListener('abort', end);
  try {
    await client.connect();
    await ended;
  } catch {
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => 'stopped');
  } finally {
    signal.removeEventListener('abort', end);
    await client.end().catch(() => undefined);
  }
}
