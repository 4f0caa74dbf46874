import type { ConnectionFields } from '#sdk/connections.ts';
import { createListener } from '#db/listen.ts';
import { createConnection } from '#db/queries/connections.ts';
import { createLogger } from '#server/log.ts';
import { startNotifications } from '#server/notifications/start-notifications.ts';
import type { Database } from '../../db/client.ts';
import { TEST_VAULT, type TestEngine } from './engine.ts';
import { waitFor } from './wait-for.ts';

/** The part of the scheduler that tells people. */
export async function startTestNotifications({ db, pool, url }: Database, engine: TestEngine) {
  const listener = createListener(url, { applicationName: 'test listener' });
  await listener.start();
  const notifications = startNotifications({
    ...{ db, pool, engine, listener, vault: TEST_VAULT, publicUrl: 'https://millrace.example.com/' },
    log: createLogger({ level: 'silent', format: 'json' }),
    onError: (error) => engine.errors.push(error),
  });
  const isThere = () => pool.query(`select from event_consumer where name = 'notifications'`);
  await waitFor(async () => (await isThere()).rowCount === 1, { what: 'the consumer to take its place' });
  return {
    async stop() {
      await notifications.stop();
      await listener.stop();
    },
    /** All events so far have been read. */
    async caughtUp(): Promise<void> {
      await waitFor(
        async () => {
          const { rows } = await pool.query(
            `select not exists (select from event e, event_consumer c where c.name = 'notifications'
               and (e.xid, e.run_id, e.run_seq) > (c.xid, c.run_id, c.run_seq)) as done`,
          );
          return rows[0].done;
        },
        { what: 'all events to be read' },
      );
    },
  };
}

export async function addConnection({ db }: Database, id: string, fields: Partial<ConnectionFields>): Promise<void> {
  const none = {
    description: null,
    host: null,
    port: null,
    schema: null,
    login: null,
    password: null,
    extra: {},
    secretExtra: {},
  };
  await createConnection(db, TEST_VAULT, { id, kind: 'webhook', ...none, ...fields }, 'test');
}

export interface Told {
  event: string;
  state: string;
  target: string | null;
  task: number;
  try: number;
  attempts: number;
  error: string | null;
}

/** What has been told of a run, in order, once nothing is pending any more. */
export async function told({ pool }: Database, runId: number, { settled = true } = {}): Promise<Told[]> {
  const look = async () =>
    (
      await pool.query<Told>(
        `select event, state, coalesce(connection, destination #>> '{callback,dagId}') as target, task_index as task, try_number as try, attempts,
           last_error as error from notification where run_id = $1 order by id`,
        [runId],
      )
    ).rows;
  if (settled)
    await waitFor(async () => (await look()).every((one) => one.state !== 'pending'), { what: 'all to be told' });
  return look();
}
