/**
 * Makes the sets in Redis what the table says: rows that are missing are added (Redis was emptied, or whoever made them ready died before it
 * told), sets that keep what is long gone are dropped. The head of each line is compared: as it is claimed, the rest gets there.
 */
import type { Db } from '#db/client.ts';
import { countLine, listReadyQueues, readLine } from '#db/queries/ready-line.ts';
import type { ReadySets } from './ready-sets.ts';

/** Rows of each line that are compared, and members that a set may have too many. */
const HEAD = 100;
/** When all of the head is missing, so is probably the rest. */
const BATCH = 5_000;
/** A set this large may be worth a count of its line. */
const LARGE = 2_000;

export interface Mended {
  added: number;
  dropped: number;
}

export interface MendDeps {
  db: Db;
  sets: ReadySets;
  signal: AbortSignal;
  /** Long lines are counted too: dear, so not each time. */
  thoroughly: boolean;
}

export async function mendReadySets(deps: MendDeps): Promise<Mended> {
  const { db, sets, signal } = deps;
  const mended: Mended = { added: 0, dropped: 0 };
  const inLine = await listReadyQueues(db);
  for (const queue of inLine) {
    if (signal.aborted) return mended;
    await mendSet(deps, queue, mended);
  }
  const empty = (await sets.queues()).filter((queue) => !inLine.includes(queue));
  for (const queue of empty) {
    const { size } = await sets.compare(queue, []);
    // A few may belong to rows that were made ready since we looked
    if (size === 0 || size > HEAD) await sets.drop(queue);
    if (size > HEAD) mended.dropped += size;
  }
  return mended;
}

async function mendSet({ db, sets, signal, thoroughly }: MendDeps, queue: string, mended: Mended): Promise<void> {
  const head = await readLine(db, queue, { after: null, limit: HEAD });
  const { missing, size } = await sets.compare(queue, head);
  const isShort = head.length < HEAD;
  const length = isShort ? head.length : thoroughly && size > LARGE ? await countLine(db, queue) : null;
  if (length !== null && size > 2 * length + HEAD) {
    await sets.drop(queue);
    mended.dropped += size;
    return addLine(queue, head);
  }
  if (missing.length === 0) return;
  if (missing.length < head.length || isShort) return add(missing);
  return addLine(queue, head);

  async function add(rows: typeof head): Promise<void> {
    await sets.add(rows, true);
    mended.added += rows.length;
  }

  /** From the head on, for as long as all of it is missing. */
  async function addLine(name: string, first: typeof head): Promise<void> {
    let rows = first;
    while (rows.length > 0 && !signal.aborted) {
      await add(rows);
      if (isShort) return;
      rows = await readLine(db, name, { after: rows.at(-1)!, limit: BATCH });
      if (rows.length > 0 && (await sets.compare(name, rows)).missing.length < rows.length) return;
    }
  }
}
