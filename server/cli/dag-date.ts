import { readInstant } from '#sdk/zoned-time.ts';
import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';

const ZONE = /* GraphQL */ `
  query DagZone($dagId: String!) {
    dag(dagId: $dagId) {
      timezone
    }
  }
`;

/** Reads dates as the DAG means them: without an offset they are in its time zone. The name is that of the option. */
export async function readDagDates<Name extends string>(
  client: ApiClient,
  dagId: string,
  given: { [name in Name]: string | undefined },
): Promise<{ [name in Name]: string | undefined }> {
  const { dag } = await client.request<{ dag: { timezone: string } | null }>(ZONE, { dagId });
  if (!dag) throw new CommandError(`There is no DAG "${dagId}"; "millrace dags" lists them.`);
  const entries = Object.entries<string | undefined>(given).map(([name, text]) => {
    const instant = text === undefined ? undefined : readInstant(text, dag.timezone);
    if (instant === null)
      throw new CommandError(
        `--${name} ${text}: not a date. Write 2026-01-31 or 2026-01-31T06:00, in ${dag.timezone}.`,
      );
    return [name, instant];
  });
  return Object.fromEntries(entries) as { [name in Name]: string | undefined };
}

/** An instant as short as it can be said: a midnight of UTC is its day. */
export const shortDate = (instant: string): string => instant.replace(/T00:00:00\.000Z$/, '').replace(/\.000Z$/, 'Z');
