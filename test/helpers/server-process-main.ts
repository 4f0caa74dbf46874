/** `<database url> <port>`: serves the API and prints its address. */
import { createDatabase } from '#db/client.ts';
import { createEngine } from '#db/engine/engine.ts';
import { createListener } from '#db/listen.ts';
import { createVault } from '#db/vault.ts';
import { createApp } from '#server/http/app.ts';
import { createLogger } from '#server/log.ts';

const [url = '', port = '0'] = process.argv.slice(2);
const log = createLogger({ level: 'error', format: 'json' });
const { db, pool } = createDatabase(url, { applicationName: 'server process' });
const engine = createEngine({ url, db, pool, onError: (error) => log.error({ error }, 'a flush failed') });
const listener = createListener(url);
const app = createApp({
  ...{ db, pool, engine, listener, log, version: 'test', webRoot: '/nowhere' },
  secretKey: Buffer.alloc(32, 7),
  vault: createVault(Buffer.alloc(32, 7)),
});
await listener.start();
console.log(await app.start(Number(port)));
