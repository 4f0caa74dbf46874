/** What a wait looks for may hold secrets, from connections and templates. Those never lie open in the database. */
import type { Vault } from '#db/vault.ts';
import type { ConnectionValue, Dispatch, Json } from '#sdk/protocol.ts';
import type { SensorTarget } from '#sdk/waiting-spec.ts';

export interface Sought {
  target: SensorTarget;
  connections: { [id: string]: ConnectionValue };
}

const PLACE = 'wait:sensor';

export function sealSought(sought: Sought, { secrets }: Pick<Dispatch, 'secrets'>, vault: Vault | null): Json {
  if (secrets.length === 0 && Object.keys(sought.connections).length === 0) return { open: sought as unknown as Json };
  if (!vault) throw new Error('This process has no secret key, so it cannot keep what the sensor waits for.');
  return { sealed: vault.seal(JSON.stringify(sought), PLACE).toString('base64') };
}

export function openSought(stored: Json | undefined, vault: Vault | null): Sought {
  const { open, sealed } = stored as { open?: Sought; sealed?: string };
  if (open) return open;
  if (!vault || sealed === undefined)
    throw new Error('This process has no secret key, so it cannot read what the sensor waits for.');
  return JSON.parse(vault.open(Buffer.from(sealed, 'base64'), PLACE)) as Sought;
}
