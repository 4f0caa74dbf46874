import { createConnection } from '#db/queries/connections.ts';
import { saveVariable } from '#db/queries/variables.ts';
import { checkNewConnection } from '#schema/connection-input.ts';
import { ValidationError } from '#schema/errors.ts';
import { looksSecret } from '#sdk/connections.ts';
import { CommandError } from '../command-error.ts';
import type { Core } from '../roles/engine.ts';
import {
  connectionEntry,
  readObject,
  variableEntries,
  type ConnectionEntry,
  type VariableEntry,
} from '../values-file.ts';

/** What tasks read by name. */
export interface TrialValues {
  variables: VariableEntry[];
  connections: ConnectionEntry[];
}

/** Of files in the form that `variable import` and `connection import` read. */
export async function readValues(files: { variables?: string; connections?: string }): Promise<TrialValues> {
  const [variables, connections] = await Promise.all([readMaybe(files.variables), readMaybe(files.connections)]);
  return {
    variables: variableEntries(variables),
    connections: Object.entries(connections).map(([id, written]) => connectionEntry(id, written)),
  };
}

const readMaybe = (file: string | undefined): ReturnType<typeof readObject> =>
  file === undefined ? Promise.resolve({}) : readObject(file);

export async function storeValues({ db, vault }: Core, { variables, connections }: TrialValues): Promise<void> {
  for (const { secret, ...variable } of variables)
    await saveVariable(db, vault, { ...variable, secret: secret ?? looksSecret(variable.key) }, 'test');
  for (const entry of connections) await createConnection(db, vault, checked(entry), 'test');
}

function checked(entry: ConnectionEntry) {
  try {
    return checkNewConnection(entry);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const issues = error.issues.map(({ path, message }) => `  ${path.slice(1).join('.')}: ${message}`);
    throw new CommandError([`connection ${entry.connectionId}:`, ...issues].join('\n'), { cause: error });
  }
}
