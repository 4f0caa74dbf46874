import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiToken } from '#server/auth/users.ts';
import type { ApiTokenRole } from '#db/queries/api-tokens.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { createTestDatabase, type TestDatabase } from '../../helpers/database.ts';
import { startServerProcess } from '../../helpers/server-process.ts';
import { freePort } from '../../helpers/service.ts';

let database: TestDatabase;
const home = mkdtempSync(join(tmpdir(), 'millrace-waits-'));
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const tokenOf = async (role: ApiTokenRole) =>
  (await createApiToken(database.db, { name: role, role, expiresInDays: 1, actor: 'test' })).token;
const envOf = (port: number, token: string) => ({
  MILLRACE_HOME: home,
  MILLRACE_URL: `http://127.0.0.1:${port}`,
  MILLRACE_TOKEN: token,
});
/** Takes connections and says `answer`, or nothing at all. */
async function listenWith(answer: string | null) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (answer !== null) socket.on('data', () => socket.end(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as { port: number }).port, close: () => server.close() };
}

describe('millrace worker whose service is away', () => {
  it('says what it waits for, and takes tasks once the service is there', async () => {
    const port = await freePort();
    const worker = startCli(['worker'], envOf(port, await tokenOf('worker')));
    const [line] = await worker.sees(/.*waiting for the service.*/);
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      url: `http://127.0.0.1:${port}`,
      cause: expect.stringContaining('ECONNREFUSED'),
    });
    const server = await startServerProcess(database.url, port);
    await worker.sees(/the worker takes tasks/);
    expect(worker.stderr().match(/waiting for the service/g)).toHaveLength(1);
    expect(await worker.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM' });
    await server.kill();
  });

  it('waits too while a proxy answers for it', async () => {
    const proxy = await listenWith(
      'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n<html>no backend</html>',
    );
    const worker = startCli(['worker'], envOf(proxy.port, 'mr_1_x'));
    const [line] = await worker.sees(/.*waiting for the service.*/);
    expect(JSON.parse(line)).toMatchObject({ cause: expect.stringContaining('503 Service Unavailable') });
    await worker.kill('SIGTERM');
    proxy.close();
  });

  it('ends at once by SIGTERM, in a pause and in the middle of an attempt', async () => {
    const mute = await listenWith(null);
    const pausing = startCli(['worker'], envOf(await freePort(), 'mr_1_x'));
    const asking = startCli(['worker'], envOf(mute.port, 'mr_1_x'));
    await pausing.sees(/waiting for the service[^]*$/);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    for (const worker of [pausing, asking]) {
      const began = performance.now();
      expect(await worker.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM', stdout: '' });
      expect(performance.now() - began).toBeLessThan(1_500);
    }
    mute.close();
  });
});

describe('millrace worker that is refused', () => {
  it('ends and says what to do, whether the key is unknown or not a worker’s', async () => {
    const server = await startServerProcess(database.url);
    const port = Number(new URL(server.url).port);
    const refusals = {
      [`mr_1_${'x'.repeat(43)}`]: 'The token is not valid',
      [await tokenOf('editor')]: 'The role "editor" may not use',
    };
    for (const [token, reason] of Object.entries(refusals)) {
      const ended = await runCli(['worker'], envOf(port, token));
      expect(ended).toMatchObject({ code: 1, stdout: '' });
      expect(ended.stderr).toContain(`${server.url} does not accept this worker: ${reason}`);
      expect(ended.stderr).toContain('"millrace token create --name worker --role worker" makes one.');
      expect(ended.stderr).not.toContain('    at ');
    }
    await server.kill();
  });
});
