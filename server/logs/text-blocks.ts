/** Cuts a log into blocks that can be read by themselves. Pure. */
import type { StoredChunk } from '#db/queries/log.ts';
import type { TextBlock } from './log-store.ts';

/** Large enough to compress well, small enough that a page costs little. */
export const BLOCK_BYTES = 256 * 1024;
/** Blocks as long as a line may be; the rest of a longer one is in the next block. */
const MOST_BLOCKS = 4;
const NEWLINE = 10;

/** Pieces in order; what overlaps counts once, and a block ends where a piece is missing. */
export async function* toBlocks(
  pieces: AsyncIterable<StoredChunk>,
  blockBytes = BLOCK_BYTES,
): AsyncGenerator<TextBlock> {
  let offset = 0;
  let held = Buffer.alloc(0);
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece.body);
    const end = offset + held.length;
    if (piece.byte_offset + bytes.length <= end) continue;
    if (piece.byte_offset > end) {
      if (held.length > 0) yield blockOf(offset, held);
      offset = piece.byte_offset;
      held = bytes;
    } else held = Buffer.concat([held, bytes.subarray(end - piece.byte_offset)]);
    while (held.length >= blockBytes) {
      const cut = cutAt(held, blockBytes);
      if (cut === null) break;
      yield blockOf(offset, held.subarray(0, cut));
      offset += cut;
      held = held.subarray(cut);
    }
  }
  if (held.length > 0) yield blockOf(offset, held);
}

/** After the last line that fits, else after the first; within a line only where it is beyond measure. */
function cutAt(held: Buffer, blockBytes: number): number | null {
  const fits = held.lastIndexOf(NEWLINE, blockBytes - 1);
  if (fits >= 0) return fits + 1;
  const longest = MOST_BLOCKS * blockBytes;
  const first = held.subarray(0, longest).indexOf(NEWLINE, blockBytes);
  if (first >= 0) return first + 1;
  return held.length < longest ? null : startOfCharacter(held, longest);
}

/** No character is torn: the text of a block is text. */
function startOfCharacter(bytes: Buffer, at: number): number {
  let start = at;
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start--;
  return start;
}

const blockOf = (offset: number, text: Buffer): TextBlock => ({ offset, text, lines: countLines(text) });

/** Ends of lines. */
export function countLines(text: Buffer): number {
  let lines = 0;
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
