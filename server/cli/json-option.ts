import { InvalidArgumentError } from 'commander';
import type { Json } from '#sdk/protocol.ts';

/** Any JSON value given on the command line. */
export function jsonValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}.`);
  }
}

export function jsonObject(text: string): { [name: string]: Json } {
  const value = jsonValue(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError('It must be a JSON object.');
  return value;
}
