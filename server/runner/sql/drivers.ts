import { postgresDriver } from './postgres-driver.ts';
import type { SqlDriver } from './sql-driver.ts';

/** By the connection's kind. */
const DRIVERS: { [kind: string]: SqlDriver } = { postgres: postgresDriver, postgresql: postgresDriver };

export function driverOf(kind: string): SqlDriver {
  const driver = DRIVERS[kind.toLowerCase()];
  if (!driver) throw new Error(`There is no driver for connections of kind '${kind}'.`);
  return driver;
}
