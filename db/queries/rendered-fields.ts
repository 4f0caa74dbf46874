/** What the templates of tries came to. */
import type pg from 'pg';
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

/** The name of a mapped instance for people, beside the fields of its task. */
export const MAP_NAME_FIELD = 'map.name';

export interface RenderedFields {
  [field: string]: string;
}
export interface RenderedRow {
  runId: number;
  uuid: string;
  fields: RenderedFields;
}

/** A dispatch renders once: what is there stays. */
export async function saveRendered(pool: pg.Pool, rows: readonly RenderedRow[]): Promise<void> {
  if (rows.length === 0) return;
  await pool.query({
    name: 'save_rendered',
    text: `insert into task_rendered (run_id, dispatch_id, fields)
      select f.run_id, f.dispatch_id, f.fields::jsonb from unnest($1::bigint[], $2::uuid[], $3::text[]) f(run_id, dispatch_id, fields)
      on conflict do nothing`,
    values: [
      rows.map(({ runId }) => runId),
      rows.map(({ uuid }) => uuid),
      // Postgres stores no NUL
      rows.map(({ fields }) => JSON.stringify(fields).replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd')),
    ],
  });
}

/** In the order of the keys; null where nothing was rendered. */
export async function findRendered(
  db: Db,
  keys: readonly { runId: number; dispatchId: string }[],
): Promise<(RenderedFields | null)[]> {
  if (keys.length === 0) return [];
  const { rows } = await sql<{ n: number; fields: RenderedFields }>`
    select k.n::int as n, r.fields from
      unnest(${keys.map(({ runId }) => runId)}::bigint[], ${keys.map(({ dispatchId }) => dispatchId)}::uuid[])
        with ordinality k(run_id, dispatch_id, n)
      join task_rendered r on r.run_id = k.run_id and r.dispatch_id = k.dispatch_id`.execute(db);
  const found: (RenderedFields | null)[] = keys.map(() => null);
  for (const { n, fields } of rows) found[n - 1] = fields;
  return found;
}
