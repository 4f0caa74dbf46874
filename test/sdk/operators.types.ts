/** Checked by tsc, never run: the results of http and sql tasks have their types, and impossible options do not compile. */
import { dag, type Json, type TaskRef } from '#sdk/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <A, B>(_same: Equal<A, B>): void => undefined;

export const operators = dag('operators', {}, ({ http, sql, task }) => {
  const answer = http('answer', { url: 'https://x' });
  expectType<typeof answer, TaskRef<Json>>(true);
  const status = http('status', { url: 'https://x', method: 'HEAD', result: 'status' });
  expectType<typeof status, TaskRef<number>>(true);
  const orders = http<{ id: number }[]>('orders', { connection: 'api', path: 'orders', result: { path: '$.orders' } });
  expectType<typeof orders, TaskRef<{ id: number }[]>>(true);

  const rows = sql<{ id: string; total: string }>('rows', { connection: 'db', sql: 'select id, total from orders' });
  expectType<typeof rows, TaskRef<{ id: string; total: string }[]>>(true);
  const count = sql('count', { connection: 'db', sql: 'delete from orders', result: 'count' });
  expectType<typeof count, TaskRef<number>>(true);
  task('sum', { rows, status }, ({ rows, status }) => rows.map((row) => row.total.length + status));

  // @ts-expect-error an http task has a url or a connection
  http('nowhere', {});
  // @ts-expect-error a path goes with a connection
  http('both', { url: 'https://x', path: 'y' });
  // @ts-expect-error no such class of statuses
  http('statuses', { url: 'https://x', retryOn: '9xx' });
  // @ts-expect-error an sql task has a connection
  sql('loose', { sql: 'select 1' });
});
