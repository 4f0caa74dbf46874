/** Pages of a list by keyset, both ways: the default and the cap of `first` and `last` are here and nowhere else. */
import { resolveCursorConnection, type ResolveCursorConnectionArgs } from '@pothos/plugin-relay';
import type { KeysetPage } from '#db/queries/keyset.ts';
import { badInput } from './errors.ts';

export const PAGE_DEFAULT = 50;
export const PAGE_MAX = 200;

export interface PageArgs {
  first?: number | null;
  last?: number | null;
  after?: string | null;
  before?: string | null;
}

/** A list's cost grows with the page that is asked for. */
export const pageComplexity = (args: PageArgs) => ({
  field: 1,
  multiplier: Math.min(args.first ?? args.last ?? PAGE_DEFAULT, PAGE_MAX),
});

interface Keyset<Row, Key> {
  toKey(row: Row): Key;
  /** Undefined: not a key. */
  parseKey(text: string): Key | undefined;
  load(page: KeysetPage<Key>): Promise<Row[]>;
}

export function keysetConnection<Row, Key extends string | number>(args: PageArgs, keyset: Keyset<Row, Key>) {
  checkPage(args);
  const decode = (cursor: string | undefined): Key | undefined => {
    if (cursor === undefined) return undefined;
    const key = keyset.parseKey(Buffer.from(cursor, 'base64url').toString());
    if (key === undefined) throw badInput(`"${cursor.slice(0, 100)}" is not a cursor of this list.`);
    return key;
  };
  return resolveCursorConnection(
    {
      args,
      toCursor: (row: Row) => Buffer.from(String(keyset.toKey(row))).toString('base64url'),
      defaultSize: PAGE_DEFAULT,
      maxSize: PAGE_MAX,
    },
    ({ after, before, limit, inverted }: ResolveCursorConnectionArgs) =>
      keyset.load({ after: decode(after), before: decode(before), limit, inverted }),
  );
}

function checkPage({ first, last }: PageArgs): void {
  if (first != null && last != null) throw badInput('Give "first" or "last", not both.');
  const size = first ?? last;
  if (size != null && (size < 0 || size > PAGE_MAX))
    throw badInput(`A page has from 0 to ${PAGE_MAX} entries, not ${size}. Page on with "after" or "before".`);
}

/** As `parseInteger`, for keys that are kept in four bytes. */
export function parsePlace(text: string): number | undefined {
  const value = parseInteger(text);
  return value !== undefined && Math.abs(value) < 2 ** 31 ? value : undefined;
}

/** A whole number in text, within what JavaScript holds. */
export function parseInteger(text: string): number | undefined {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
