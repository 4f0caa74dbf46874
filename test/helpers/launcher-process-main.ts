/** `<database url> <name> <silent seconds>`: a launcher in a process of its own. Prints a line when it runs. */
import { createDatabase } from '#db/client.ts';
import { createEngine } from '#db/engine/engine.ts';
import { createListener } from '#db/listen.ts';
import { startLauncher } from '#server/executors/launcher/launcher.ts';
import { createLogger } from '#server/log.ts';
import { TEST_VAULT } from './engine.ts';

const [url = '', name = '', silentSeconds = '30'] = process.argv.slice(2);
const database = createDatabase(url, { applicationName: name });
const onError = (error: unknown) => console.error(error);
const engine = createEngine({ ...database, vault: TEST_VAULT, onError });
const listener = createListener(url);
await listener.start();
const log = createLogger({ level: 'error', format: 'text' });
const deps = { ...database, engine, listener, vault: TEST_VAULT, log, version: 'test', serviceUrl: null, onError };
await startLauncher({ ...deps, name, silentSeconds: Number(silentSeconds) });
console.log('runs');
