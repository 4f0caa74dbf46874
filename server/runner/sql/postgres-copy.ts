/** COPY … FROM STDIN as a query of the `pg` client. */
import type { Duplex } from 'node:stream';
import { drained } from './drained.ts';

/** The part of pg's connection that COPY needs. */
interface CopyConnection {
  stream: Duplex;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** Pieces of this size go to the server at once. */
const CHUNK = 64 * 1024;

export interface CopyQuery {
  submit(connection: CopyConnection): void;
  finished: Promise<number>;
}

/** `finished` resolves to the number of rows. */
export function createCopyQuery(text: string, lines: AsyncIterable<string>): CopyQuery {
  let failed: Error | null = null;
  let rows = 0;
  let settle: { resolve(rows: number): void; reject(error: Error): void };
  const finished = new Promise<number>((resolve, reject) => (settle = { resolve, reject }));

  const pump = async (connection: CopyConnection) => {
    const { stream } = connection;
    let part = '';
    const send = async () => {
      connection.sendCopyFromChunk(Buffer.from(part));
      part = '';
      if (stream.writableNeedDrain) await drained(stream);
    };
    for await (const line of lines) {
      if (failed || stream.destroyed) return;
      part += line;
      if (part.length >= CHUNK) await send();
    }
    if (part !== '') await send();
    connection.endCopyFrom();
  };

  const query = {
    finished,
    submit(connection: CopyConnection) {
      connection.query(text);
    },
    handleCopyInResponse(connection: CopyConnection) {
      pump(connection).catch((error: Error) => {
        // The server answers with an error of its own; what went wrong here says more
        failed ??= error;
        connection.sendCopyFail(error.message.slice(0, 200));
      });
    },
    handleCommandComplete(message: { text: string }) {
      rows = Number(/\d+$/.exec(message.text)?.[0] ?? 0);
    },
    handleReadyForQuery() {
      if (failed) settle.reject(failed);
      else settle.resolve(rows);
    },
    handleError(error: Error) {
      failed ??= error;
      settle.reject(failed);
    },
    handleRowDescription: () => undefined,
    handleDataRow: () => undefined,
    handleEmptyQuery: () => undefined,
    handlePortalSuspended: () => undefined,
    handleCopyData: () => undefined,
  };
  return query;
}
