import type { LogSource } from '#db/queries/log.ts';
import { buildLogPage, type LogLine } from '#schema/log-page.ts';
import type { LogKey, LogReader } from '#schema/log-reader.ts';

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
