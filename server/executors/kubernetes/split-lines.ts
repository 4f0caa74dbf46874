/** Lines out of pieces of bytes, however the pieces were cut. */
export interface Line {
  bytes: Buffer;
  /** It was longer than allowed: the rest is gone. */
  cut: boolean;
}

const NEWLINE = 0x0a;

/** @param mostBytes longer lines are cut there. */
export function createLineSplitter(mostBytes = Infinity) {
  let parts: Buffer[] = [];
  let size = 0;
  let cut = false;

  function add(piece: Buffer): void {
    const room = mostBytes - size;
    if (piece.length > room) cut = true;
    const kept = piece.length > room ? piece.subarray(0, room) : piece;
    if (kept.length === 0) return;
    parts.push(kept);
    size += kept.length;
  }

  function take(): Line {
    const line = { bytes: parts.length === 1 ? parts[0]! : Buffer.concat(parts), cut };
    parts = [];
    size = 0;
    cut = false;
    return line;
  }

  return {
    /** The lines that `chunk` ends, without their newline. */
    push(chunk: Buffer): Line[] {
      const lines: Line[] = [];
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
        add(chunk.subarray(from, at));
        lines.push(take());
        from = at + 1;
      }
      add(chunk.subarray(from));
      return lines;
    },
    /** What came after the last newline, or nothing. */
    rest: (): Line | null => (size > 0 || cut ? take() : null),
  };
}
