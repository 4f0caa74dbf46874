import { createServer, type AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { createListener } from '#db/listen.ts';
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts';
import { waitFor } from '../helpers/wait-for.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});

const notify = (channel: string, payload: string) =>
  database.pool.query('select pg_notify($1, $2)', [channel, payload]);

function startListener(applicationName: string) {
  const listener = createListener(database.url, { applicationName });
  const seen: string[] = [];
  listener.on('a', (payload) => seen.push(payload));
  let resyncs = 0;
  listener.onResync(() => resyncs++);
  return { listener, seen, resyncs: () => resyncs };
}

describe('createListener', () => {
  it('delivers in order, also on channels that are added later, until it is told to stop', async () => {
    const { listener, seen } = startListener('l1');
    await listener.start();
    const later: string[] = [];
    const off = listener.on('B "quoted"', (payload) => later.push(payload));
    for (let n = 0; n < 50; n++) await notify('a', String(n));
    await waitFor(() => seen.length === 50, { what: '50 notifications' });
    expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => String(n)));
    await notify('B "quoted"', 'x');
    await waitFor(() => later.length === 1, { what: 'a notification on the second channel' });
    off();
    await notify('B "quoted"', 'y');
    await notify('a', 'after');
    await waitFor(() => seen.includes('after'));
    expect(later).toEqual(['x']);
    await listener.stop();
  });

  it('reconnects when its backend is killed, asks for a resync, and listens to everything again', async () => {
    const { listener, seen, resyncs } = startListener('l2');
    await listener.start();
    expect(resyncs()).toBe(1);
    for (let round = 2; round <= 4; round++) {
      const { rowCount } = await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'l2'`,
      );
      expect(rowCount).toBe(1);
      await waitFor(() => resyncs() === round, { what: `resync ${round}` });
      await notify('a', `round ${round}`);
      await waitFor(() => seen.includes(`round ${round}`), { what: `a notification after reconnect ${round}` });
    }
    await listener.stop();
  });

  it('goes on trying when the server hangs up on it at once', async () => {
    // Lets everybody in, and says in the same breath that it goes down
    const words = Buffer.from('SFATAL\0C57P02\0Mgoing down\0\0');
    const goodbye = Buffer.concat([Buffer.from('E'), Buffer.from([0, 0, 0, words.length + 4]), words]);
    const welcome = Buffer.from('520000000800000000' + '5a0000000549', 'hex');
    const server = createServer((socket) => socket.once('data', () => socket.end(Buffer.concat([welcome, goodbye]))));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const errors: Error[] = [];
    const { port } = server.address() as AddressInfo;
    const listener = createListener(`postgres://anybody@127.0.0.1:${port}/any`, {
      onError: (error) => errors.push(error),
    });
    const started = listener.start();
    await waitFor(() => errors.length >= 3, { what: 'three failed attempts' });
    await listener.stop();
    await started;
    server.close();
  });

  it('stops while the server cannot be reached', async () => {
    const errors: Error[] = [];
    const listener = createListener('postgres://nobody@127.0.0.1:1/none', { onError: (error) => errors.push(error) });
    const started = listener.start();
    await waitFor(() => errors.length >= 2, { what: 'two failed attempts' });
    await listener.stop();
    await started;
  });
});
