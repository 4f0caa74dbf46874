/** Asks a PostgreSQL server to stop what a session is doing: a connection of its own, as the protocol wants it. */
import { connect as connectNet, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { once } from 'node:events';

export interface CancelTarget {
  host: string;
  port: number;
  /** False: no TLS. */
  ssl: ConnectionOptions | false;
  /** What the server said at the start of the session. */
  processId: number;
  secretKey: number;
}

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const TIMEOUT_MS = 5_000;

/** Resolves when the server has taken the request. It says nothing about what became of it. */
export async function cancelOnServer({ host, port, ssl, processId, secretKey }: CancelTarget): Promise<void> {
  const plain = host.startsWith('/') ? connectNet(`${host}/.s.PGSQL.${port}`) : connectNet(port, host);
  plain.setTimeout(TIMEOUT_MS, () => plain.destroy(new Error('no answer to the request to cancel')));
  try {
    await once(plain, 'connect');
    const socket = ssl && !host.startsWith('/') ? await upgraded(plain, host, ssl) : plain;
    socket.on('error', () => undefined);
    socket.write(int32s(16, CANCEL_REQUEST, processId, secretKey));
    socket.resume();
    // The server closes the line when it has passed the request on
    await once(socket, 'close');
  } finally {
    plain.destroy();
  }
}

async function upgraded(plain: Socket, host: string, ssl: ConnectionOptions): Promise<Socket> {
  plain.write(int32s(8, SSL_REQUEST));
  const [answer] = (await once(plain, 'data')) as [Buffer];
  if (answer.toString('latin1') !== 'S') throw new Error('the server does not speak TLS');
  const socket = connectTls({ host, ...ssl, socket: plain });
  await once(socket, 'secureConnect');
  return socket;
}

function int32s(...numbers: number[]): Buffer {
  const buffer = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, index) => buffer.writeInt32BE(number | 0, index * 4));
  return buffer;
}
