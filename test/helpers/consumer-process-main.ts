/** `<database url> <batches>`: consumes events, and dies as by power loss between writing so many batches' effects and their commit. */
import { sql } from 'kysely';
import { createDatabase } from '#db/client.ts';
import { createListener } from '#db/listen.ts';
import { startEventConsumer } from '#server/scheduler/consume-events.ts';
import { createLogger } from '#server/log.ts';

const [url = '', batches = '1'] = process.argv.slice(2);
const { db } = createDatabase(url, { applicationName: 'consumer process' });
const listener = createListener(url);
let handled = 0;
startEventConsumer({
  name: 'crash',
  db,
  listener,
  log: createLogger({ level: 'error', format: 'json' }),
  batch: 7,
  async handle(trx, events) {
    for (const event of events)
      await sql`insert into handled (run_id, run_seq) values (${event.runId}, ${event.runSeq})`.execute(trx);
    if (++handled === Number(batches)) process.kill(process.pid, 'SIGKILL');
  },
});
await listener.start();
