import { randomBytes } from 'node:crypto';
import pg from 'pg';

/**
 * A database for the tables that DAGs write, beside Millrace's own in the same server: for `millrace start` with its embedded
 * PostgreSQL, so that the examples have a warehouse. Its role sees nothing but this database. Returns its address; the password is
 * new each time, so nothing has to be kept. `url` is that of a superuser.
 */
export async function ensureWarehouse(url: string, name = 'warehouse'): Promise<string> {
  const admin = new pg.Client({ connectionString: url, application_name: 'millrace warehouse' });
  await admin.connect();
  try {
    const password = randomBytes(24).toString('base64url');
    const [role, database] = [pg.escapeIdentifier(name), await admin.query('select current_database() as name')];
    const own = pg.escapeIdentifier((database.rows[0] as { name: string }).name);
    const exists = async (query: string) => (await admin.query(query, [name])).rowCount !== 0;
    if (!(await exists('select from pg_roles where rolname = $1'))) await admin.query(`create role ${role}`);
    await admin.query(
      `alter role ${role} login nosuperuser nocreatedb nocreaterole connection limit 50 password ${pg.escapeLiteral(password)}`,
    );
    // Everyone may connect to a new database; the warehouse's role must not reach Millrace's tables.
    await admin.query(`revoke all on database ${own} from public`);
    if (!(await exists('select from pg_database where datname = $1')))
      await admin.query(`create database ${role} owner ${role}`);
    await admin.query(`revoke all on database ${role} from public`);
    const warehouse = new URL(url);
    Object.assign(warehouse, { username: name, password, pathname: `/${name}` });
    return warehouse.href;
  } finally {
    await admin.end();
  }
}
