/** One look for what a sensor waits for, where no code of a user and no database of the service is needed. */
import type { ConnectionValue } from '#sdk/protocol.ts';
import type { Look } from '#sdk/poke.ts';
import type { SensorTarget } from '#sdk/waiting-spec.ts';
import { lookFile } from './look-file.ts';
import { lookHttp } from './look-http.ts';
import { lookSql } from './look-sql.ts';

/** What goes wrong is a look that failed. */
export async function lookOutside(
  target: SensorTarget,
  connections: { readonly [id: string]: ConnectionValue },
  signal: AbortSignal,
): Promise<Look> {
  try {
    if (target.time !== undefined)
      return Date.parse(target.time) <= Date.now() ? { found: true, value: target.time } : { found: false };
    if (target.http) return await lookHttp(target.http, connections, signal);
    if (target.sql) return await lookSql(target.sql, connections, signal);
    if (target.file) return await lookFile(target.file);
    return { failed: `A worker cannot look for ${Object.keys(target).join(', ')}.` };
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}
