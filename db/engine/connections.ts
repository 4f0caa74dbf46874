/** The engine's own connections: pipelined, with planner settings that keep the hot statements on primary-key lookups. */
import pg from 'pg';
import { typeParsers } from '#db/client.ts';

/**
 * Custom plans cost more than they save here; without statistics a hash or merge plan over a large table would be a cliff.
 * The statements are written so that nested loops over primary keys are right at every size.
 */
export const ENGINE_SETTINGS = [
  'plan_cache_mode=force_generic_plan',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'enable_bitmapscan=off',
  'enable_material=off',
  'jit=off',
  'statement_timeout=60000',
  'idle_in_transaction_session_timeout=60000',
];

export interface Connections {
  /** How many flushes may start now. */
  idle(): number;
  /** Runs `work` on a free connection; a connection that broke is replaced. */
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** `settings`: further ones, of this engine. */
export function createConnections(url: string, size: number, settings: readonly string[] = []): Connections {
  let free = size;
  let closed = false;
  const open: pg.Client[] = [];
  const broken = new WeakSet<pg.Client>();

  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionString: url,
      pipeline: true,
      types: typeParsers,
      keepAlive: true,
      connectionTimeoutMillis: 5000,
      query_timeout: 70_000,
      application_name: 'millrace engine',
      options: [...ENGINE_SETTINGS, ...settings].map((setting) => `-c ${setting}`).join(' '),
    });
    client.on('error', () => broken.add(client));
    client.on('end', () => broken.add(client));
    await client.connect();
    return client;
  };

  const discard = (client: pg.Client) => {
    broken.add(client);
    client.end().catch((error: unknown) => client.emit('error', error));
  };

  return {
    idle: () => (closed ? 0 : free),
    async use(work) {
      free--;
      let client: pg.Client | undefined;
      try {
        do client = open.pop();
        while (client && broken.has(client));
        client ??= await connect();
        const result = await work(client);
        if (!broken.has(client) && !closed) open.push(client);
        return result;
      } catch (error) {
        // A transaction of unknown state: never used again
        if (client) discard(client);
        throw error;
      } finally {
        free++;
      }
    },
    async close() {
      closed = true;
      await Promise.all(open.splice(0).map((client) => client.end()));
    },
  };
}
