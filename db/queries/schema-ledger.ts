/** Which migrations a database has. The table is older than every migration, so it is made here. */
import type pg from 'pg';

export interface Applied {
  name: string;
  /** Of the program that applied it; null: not known. */
  release: string | null;
  /** The oldest release that can live with it; null: any that could before. */
  needs: string | null;
}

/** Makes the table, or gives it what it lacks: the names in it. */
export async function prepareLedger(client: pg.ClientBase): Promise<Set<string>> {
  await client.query(
    `create table if not exists schema_migration (name text primary key, applied_at timestamptz(3) not null default now())`,
  );
  if (!(await knowsReleases(client)))
    await client.query('alter table schema_migration add column release text, add column needs text');
  const { rows } = await client.query<{ name: string }>('select name from schema_migration');
  return new Set(rows.map((row) => row.name));
}

type Queryable = Pick<pg.ClientBase | pg.Pool, 'query'>;

const knowsReleases = async (db: Queryable): Promise<boolean> => {
  const { rowCount } = await (db as pg.Pool).query(
    `select from pg_attribute where attrelid = to_regclass('schema_migration') and attname = 'needs' and not attisdropped`,
  );
  return rowCount === 1;
};

/** In order; none where nothing has ever been applied. */
export async function readLedger(pool: pg.Pool): Promise<Applied[]> {
  const columns = (await knowsReleases(pool)) ? 'name, release, needs' : 'name, null as release, null as needs';
  const { rows: there } = await pool.query<{ there: boolean }>(
    `select to_regclass('schema_migration') is not null as there`,
  );
  if (!there[0]?.there) return [];
  const { rows } = await pool.query<Applied>(`select ${columns} from schema_migration order by name`);
  return rows;
}
