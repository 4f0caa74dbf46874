import type { LogSource } from '#db/queries/log.ts';
import { buildLogPage, type LogLine } from '#schema/log-page.ts';
import { readPieces } from '#server/logs/read-pieces.ts';
import type { LogHit, LogKey, LogPlace, LogReader, LogSearchRequest } from '#schema/log-reader.ts';

/** The lines of a log that ended long ago, page after page. */
export async function readAllLines(
  reader: Pick<LogReader, 'read'>,
  log: LogKey,
  { from = 0, limit = 7, logBytes }: { from?: number; limit?: number; logBytes: number },
): Promise<LogLine[]> {
  const source: LogSource = { tryNumber: 1, dispatchId: log.uuid, end: { logBytes, secondsAgo: 600 } };
  const lines: LogLine[] = [];
  for (let offset = from; ;) {
    const page = buildLogPage({ ...(await reader.read(log, offset)), offset, limit, source });
    lines.push(...page.lines);
    if (page.complete) return lines;
    if (page.nextOffset <= offset) throw new Error(`Reading stands still at byte ${offset}.`);
    offset = page.nextOffset;
  }
}

/** The text of a log as it is stored. */
export async function readAllText(reader: Pick<LogReader, 'read'>, log: LogKey): Promise<string> {
  let text = '';
  for await (const { body } of readPieces(reader, log)) text += body;
  return text;
}

/** What the lines of a text are, worked out from the text alone: each with the offset of its first byte. */
export function plainLines(text: string): { offset: number; text: string }[] {
  let offset = 0;
  return text
    .split(/(?<=\n)/)
    .filter((raw) => raw !== '')
    .map((raw) => {
      const line = { offset, text: raw.replace(/\n$/, '').replace(/^\S+ [oes] /, '') };
      offset += Buffer.byteLength(raw);
      return line;
    });
}

type Wanted = Omit<LogSearchRequest, 'from'>;
interface Hit {
  lineNumber: number;
  offset: number;
  text: string;
  before: string[];
  after: string[];
}

/** All hits, from request to request: each answer as it is, so that hits around the borders of answers are compared as well. */
export async function searchAll(reader: Pick<LogReader, 'search'>, log: LogKey, wanted: Wanted): Promise<Hit[]> {
  const found: LogHit[] = [];
  for (let from: LogPlace | null = { offset: 0, line: 0 }; from;) {
    const { hits, next }: Awaited<ReturnType<LogReader['search']>> = await reader.search(log, { ...wanted, from });
    if (hits.length > wanted.limit) throw new Error(`${hits.length} hits where ${wanted.limit} were asked for.`);
    found.push(...hits);
    from = next;
  }
  return found.map(({ lineNumber, line, before, after }) => ({
    lineNumber,
    offset: line.offset,
    text: line.text,
    before: before.map((one) => one.text),
    after: after.map((one) => one.text),
  }));
}

/** The same, worked out from the text alone. */
export function plainHits(text: string, { text: wanted, isCaseSensitive, context, limit }: Wanted): Hit[] {
  const lines = plainLines(text);
  const fold = (some: string) => (isCaseSensitive ? some : some.toLowerCase());
  const found = lines.flatMap((line, index) => (fold(line.text).includes(fold(wanted)) ? [{ line, index }] : []));
  return found.map(({ line, index }, n) => {
    // An answer begins after the last hit of the one before, and has no lines of before that
    const begin = n < limit ? 0 : found[n - (n % limit) - 1]!.index + 1;
    return {
      lineNumber: index + 1,
      ...line,
      before: lines.slice(Math.max(begin, index - context), index).map((one) => one.text),
      after: lines.slice(index + 1, index + 1 + context).map((one) => one.text),
    };
  });
}
