/** Whether a process may work on a schema: one that is a little ahead does no harm, one that lacks something does. */
import type pg from 'pg';
import { readMigrations } from './migrations.ts';
import { readLedger, type Applied } from './queries/schema-ledger.ts';
import { isBefore, isTooFarApart } from './releases.ts';

export interface SchemaFacts {
  /** The migrations of this build. */
  known: readonly string[];
  applied: readonly Applied[];
  release: string;
}

/** Null: it may. Else why not, and what to do. Pure. */
export function schemaProblem({ known, applied, release }: SchemaFacts): string | null {
  const there = new Set(applied.map(({ name }) => name));
  const missing = known.filter((name) => !there.has(name));
  if (missing.length > 0)
    return `The schema of the database lacks ${listed(missing)}, which Millrace ${release} needs. Run "millrace migrate" of this release first.`;
  const unknown = applied.filter(({ name }) => !known.includes(name));
  const contract = unknown.find(({ needs }) => needs !== null && isBefore(release, needs));
  if (contract)
    return `The schema of the database has ${contract.name}, with which only Millrace ${contract.needs} and later can work; this is ${release}. Start a later release.`;
  const far = unknown.find((one) => one.release !== null && isTooFarApart(one.release, release));
  if (far)
    return `The schema of the database is that of Millrace ${far.release} (${far.name}); this is ${release}, more than one minor release behind. Start a later release.`;
  return null;
}

export async function checkSchema(pool: pg.Pool, release: string): Promise<string | null> {
  const [migrations, applied] = [await readMigrations(), await readLedger(pool)];
  return schemaProblem({ known: migrations.map(({ name }) => name), applied, release });
}

const MOST = 3;
const listed = (names: readonly string[]): string =>
  names.slice(0, MOST).join(', ') + (names.length > MOST ? ` and ${names.length - MOST} more` : '');
