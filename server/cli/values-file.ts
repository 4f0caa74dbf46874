/** What `import` of variables and of connections reads: our own form, and what `airflow … export` writes. */
import { readFile } from 'node:fs/promises';
import { CONNECTION_KINDS, looksSecret, parseConnectionUri } from '#sdk/connections.ts';
import type { Json } from '#sdk/protocol.ts';
import { isPlainObject } from '#sdk/spec-fields.ts';
import { parse } from 'yaml';
import { CommandError } from './command-error.ts';

type Plain = { [key: string]: Json };

const isObject = (value: unknown): value is Plain => isPlainObject(value);

/** `-` is the standard input. */
export const readText = (file: string): Promise<string> =>
  file === '-' ? readStdin() : readFile(file, 'utf8').catch(cannotRead(file));

/** JSON or YAML. */
export async function readObject(file: string): Promise<Plain> {
  const text = await readText(file);
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new CommandError(`${file} is neither JSON nor YAML: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(value)) throw new CommandError(`${file} must hold an object: names with their values.`);
  return value;
}

const cannotRead = (file: string) => (cause: Error) => {
  throw new CommandError(`Cannot read ${file}: ${cause.message}`, { cause });
};

/** One trailing newline, as of `echo`, is not part of a value. */
export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

export interface VariableEntry {
  key: string;
  value: string;
  description?: string;
  secret?: boolean;
}

const OWN_FIELDS = new Set(['value', 'description', 'secret']);

/** `key: value`, or `key: { value, description, secret }`; what is no text is stored as JSON. */
export function variableEntries(values: Plain): VariableEntry[] {
  return Object.entries(values).map(([key, written]) => {
    const detailed =
      isObject(written) && 'value' in written && Object.keys(written).every((name) => OWN_FIELDS.has(name));
    const { value, description, secret } = detailed ? written : { value: written };
    return {
      key,
      value: typeof value === 'string' ? value : JSON.stringify(value),
      ...(typeof description === 'string' && { description }),
      ...(typeof secret === 'boolean' && { secret }),
    };
  });
}

export interface ConnectionEntry {
  connectionId: string;
  kind: string;
  [field: string]: Json;
}

const KIND_OF: { [type: string]: string } = {
  email: 'smtp',
  slackwebhook: 'slack',
  postgresql: 'postgres',
  https: 'http',
};

/** A URI, or an object with our fields or Airflow's (`conn_type`, `extra` as text). */
export function connectionEntry(connectionId: string, written: Json): ConnectionEntry {
  if (typeof written === 'string') {
    const fields = parseConnectionUri(written);
    // The URI is not shown: it may hold a password
    if (typeof fields === 'string') throw new CommandError(`${connectionId}: ${fields}`);
    return { connectionId, ...fields };
  }
  if (!isObject(written)) throw new CommandError(`${connectionId}: neither a URI nor an object.`);
  const { kind, conn_type: type, extra, secretExtra, conn_id: _, ...rest } = written;
  const named = String(kind ?? type ?? '');
  const known = KIND_OF[named] ?? named;
  const settings = typeof extra === 'string' ? settingsOf(connectionId, extra) : isObject(extra) ? extra : {};
  const pick = (secret: boolean) =>
    Object.fromEntries(Object.entries(settings).filter(([name]) => looksSecret(name) === secret));
  return {
    ...rest,
    connectionId,
    kind: kind === undefined && !(CONNECTION_KINDS as readonly string[]).includes(known) ? 'generic' : known,
    extra: pick(false),
    secretExtra: { ...pick(true), ...(isObject(secretExtra) && secretExtra) },
  };
}

function settingsOf(connectionId: string, text: string): Plain {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Told below, without the text: it may hold a secret
  }
  throw new CommandError(`${connectionId}: extra is not a JSON object.`);
}
