/** A transaction on a pipelined connection: statements leave at once, answers are awaited where they matter. */
import type pg from 'pg';
import type { Statement } from '#db/queries/task-transitions/statement.ts';

export interface Transaction {
  send<Row extends pg.QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]>;
  commit(): Promise<void>;
}

export function beginTransaction(client: pg.Client): Transaction {
  const sent: Promise<unknown>[] = [];
  const track = <T>(promise: Promise<T>): Promise<T> => {
    // The first failure is thrown by whoever awaits it; those behind it fail as "transaction is aborted" and are collected in commit
    promise.catch(() => undefined);
    sent.push(promise);
    return promise;
  };
  void track(client.query('begin'));
  return {
    send: <Row extends pg.QueryResultRow>(statement: Statement, values: unknown[]) =>
      track(client.query<Row>({ name: statement.name, text: statement.text, values }).then((result) => result.rows)),
    async commit() {
      const before = sent.slice();
      const end = track(client.query('commit'));
      await Promise.all(before);
      const { command } = await end;
      if (command !== 'COMMIT') throw new Error(`The transaction ended with ${command}.`);
    },
  };
}
