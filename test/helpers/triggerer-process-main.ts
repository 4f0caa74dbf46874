/** `<database url>`: a scheduler with its triggerer, in a process of its own. Prints a line when it runs. */
import { createDatabase } from '#db/client.ts';
import { createEngine } from '#db/engine/engine.ts';
import { createListener } from '#db/listen.ts';
import { startWaiting } from './waiting.ts';

const [url = ''] = process.argv.slice(2);
const database = createDatabase(url, { applicationName: 'triggerer process' });
const engine = createEngine({ ...database, onError: (error) => console.error(error) });
const listener = createListener(url);
await listener.start();
await startWaiting(database, engine, listener, { lookLeaseSeconds: 2 });
console.log('runs');
