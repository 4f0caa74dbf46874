/** The last lines of a terminal, redrawn in place; other lines scroll by above them. */

export interface Terminal {
  columns: number;
  rows: number;
  write(text: string): unknown;
}

export interface Screen {
  /** A line above. */
  print(line: string): void;
  /** Shows what `draw` gives now, soon, or both. */
  refresh(): void;
  /** Leaves the lines where they are and writes nothing until the returned function is called. */
  pause(): () => void;
  /** Draws once more and leaves the lines where they are. */
  close(): void;
}

/** Ten pictures a second look live and leave the processor to the tasks. */
const FRAME_MS = 100;
const ESC = '\u001b[';

export function createScreen(terminal: Terminal, draw: () => string[]): Screen {
  let drawn = 0;
  let above: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let paused = false;

  function paint(): void {
    timer = undefined;
    const up = drawn > 0 ? `${ESC}${drawn}A\r` : '';
    const lines = draw();
    // One write: in several the picture flickers.
    terminal.write(`${up}${ESC}J${[...above, ...lines].map((line) => `${line}\n`).join('')}`);
    above = [];
    drawn = lines.length;
  }

  const refresh = () => {
    if (!closed && !paused) timer ??= setTimeout(paint, FRAME_MS);
  };
  // Durations go on while nothing happens.
  const clock = setInterval(refresh, 1_000);

  return {
    print(line) {
      above.push(line);
      refresh();
    },
    refresh,
    pause() {
      clearTimeout(timer);
      paint();
      paused = true;
      // What others write below stays above what is drawn next.
      drawn = 0;
      return () => {
        paused = false;
        refresh();
      };
    },
    close() {
      if (closed) return;
      closed = true;
      clearInterval(clock);
      clearTimeout(timer);
      paint();
    },
  };
}
