/** The variables and connections of a dispatch. Here, and for a claim alone, secrets are opened. */
import type pg from 'pg';
import type { ConnectionValue, Dispatch, Json } from '#sdk/protocol.ts';
import { connectionPlace, type ConnectionSecrets } from '#db/queries/connections.ts';
import { variablePlace } from '#db/queries/variables.ts';
import { readConnections, readVariables, type StoredConnection, type StoredVariable } from '#db/queries/values.ts';
import { VaultError, type Vault } from '#db/vault.ts';
import type { ValueReferences } from './value-references.ts';

export type DispatchValues = Pick<Dispatch, 'variables' | 'connections' | 'secrets' | 'unreadable'>;

export const NO_VALUES: DispatchValues = { variables: {}, connections: {}, secrets: [], unreadable: {} };

interface Opened<Value> {
  value: Value;
  secrets: string[];
}
type Found<Value> = Map<string, Opened<Value> | VaultError>;

/** One query for variables and one for connections a batch, and none where nobody refers to any. */
export async function loadValues(
  pool: pg.Pool,
  vault: Vault | null,
  wanted: readonly (ValueReferences | null)[],
): Promise<(references: ValueReferences | null) => DispatchValues> {
  const variables: Found<string> = new Map();
  const connections: Found<ConnectionValue> = new Map();
  const keys = new Set(wanted.flatMap((references) => references?.variables ?? []));
  const ids = new Set(wanted.flatMap((references) => references?.connections ?? []));
  if (keys.size + ids.size === 0) return () => NO_VALUES;
  const [keyRows, idRows] = await Promise.all([readVariables(pool, [...keys]), readConnections(pool, [...ids])]);
  for (const row of keyRows)
    variables.set(
      row.key,
      attempt(() => openVariable(row, vault)),
    );
  for (const row of idRows)
    connections.set(
      row.id,
      attempt(() => openConnection(row, vault)),
    );
  return (references) => (references ? pick(references, variables, connections) : NO_VALUES);
}

function pick(
  references: ValueReferences,
  variables: Found<string>,
  connections: Found<ConnectionValue>,
): DispatchValues {
  const values: DispatchValues = { variables: {}, connections: {}, secrets: [], unreadable: {} };
  const take = <Value>(what: string, name: string, found: Found<Value>, into: { [name: string]: Value }) => {
    const opened = found.get(name);
    if (opened instanceof VaultError) values.unreadable[`${what} ${name}`] = opened.message;
    else if (opened) {
      into[name] = opened.value;
      values.secrets.push(...opened.secrets);
    }
  };
  for (const key of references.variables) take('variable', key, variables, values.variables);
  for (const id of references.connections) take('connection', id, connections, values.connections);
  return values;
}

/** One secret that cannot be read fails its tasks, not all that are claimed with them. */
function attempt<Value>(open: () => Opened<Value>): Opened<Value> | VaultError {
  try {
    return open();
  } catch (error) {
    if (error instanceof VaultError) return error;
    throw error;
  }
}

function openSealed(sealed: Buffer, place: string, vault: Vault | null): string {
  if (!vault) throw new VaultError(place, 'this process has no secret key. Set MILLRACE_SECRET_KEY.');
  return vault.open(sealed, place);
}

function openVariable({ key, value, sealed }: StoredVariable, vault: Vault | null): Opened<string> {
  if (sealed === null) return { value: value ?? '', secrets: [] };
  const secret = openSealed(sealed, variablePlace(key), vault);
  return { value: secret, secrets: [secret] };
}

/** With its secrets, and what of it nobody may read. */
export function openConnection({ sealed, ...row }: StoredConnection, vault: Vault | null): Opened<ConnectionValue> {
  if (sealed === null) return { value: { ...row, password: null }, secrets: [] };
  const secrets = JSON.parse(openSealed(sealed, connectionPlace(row.id), vault)) as ConnectionSecrets;
  return {
    value: { ...row, password: secrets.password, extra: { ...row.extra, ...secrets.extra } },
    // The pair: as base64 it is what a basic authorization header holds
    secrets: [
      ...(secrets.password === null ? [] : [secrets.password, `${row.login ?? ''}:${secrets.password}`]),
      ...textsOf(secrets.extra),
    ],
  };
}

const textsOf = (value: Json): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(textsOf)
      : typeof value === 'number'
        ? [String(value)]
        : [];
