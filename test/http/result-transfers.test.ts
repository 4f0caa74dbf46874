import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { sendJsonContent } from '#server/http/result-transfers.ts';

describe('sending a result', () => {
  const server = createServer();
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** What became of sending this content to somebody who leaves at the first bytes, or does not. */
  async function sent(content: AsyncIterable<Buffer>, leaves: boolean): Promise<unknown> {
    const outcome = new Promise((resolve) =>
      server.once('request', (_req, res) =>
        sendJsonContent(res, content)
          .then(() => 'sent', String)
          .then(resolve),
      ),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const asked = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }, (answer) => {
      answer.on('error', () => undefined);
      answer.on('data', () => leaves && asked.destroy());
    });
    asked.on('error', () => undefined).end();
    await once(asked, 'close');
    return outcome;
  }

  it('fails when it cannot be read to its end', async () => {
    async function* broken() {
      yield Buffer.from('"abc');
      throw new Error('The database has gone.');
    }
    expect(await sent(broken(), false)).toBe('Error: The database has gone.');
  });

  it('is over when the receiver leaves', async () => {
    async function* endless() {
      for (;;) yield Buffer.alloc(65_536, 'x');
    }
    expect(await sent(endless(), true)).toBe('sent');
  });
});
