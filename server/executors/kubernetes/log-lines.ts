/** Lines of a container's log as a kubelet gives them with timestamps, and which of them were had before. */
import type { Line } from './split-lines.ts';

export interface PodLogLine {
  /** ISO 8601 in UTC, to the millisecond. */
  time: string;
  text: string;
  /** Kubernetes does not tell output from errors. */
  stream: 'o';
  /** It was longer than allowed; the text ends with `…`. */
  cut: boolean;
}

const STAMPED = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?/;

/** Runtimes write longer lines in pieces of so many bytes: containerd, CRI-O. */
const PIECES = [16 * 1024, 8 * 1024];
const LONGEST_STAMP = 40;

const stampAt = (bytes: Buffer, at: number): number =>
  STAMPED.exec(bytes.toString('latin1', at, at + LONGEST_STAMP))?.[0].length ?? 0;

/** Kubelets before 1.27 put a time before each piece, in the middle of the line. */
function withoutInnerStamps(bytes: Buffer): Buffer {
  const size = PIECES.find((piece) => bytes.length > piece && stampAt(bytes, piece) > 0);
  if (size === undefined) return bytes;
  const parts: Buffer[] = [];
  let from = 0;
  while (from < bytes.length) {
    parts.push(bytes.subarray(from, from + size));
    from += size + stampAt(bytes, from + size);
  }
  return Buffer.concat(parts);
}

/** Null: nothing a container wrote, for that has a time; a kubelet's own words. */
export function readLogLine({ bytes, cut }: Line): PodLogLine | null {
  const match = STAMPED.exec(bytes.toString('latin1', 0, LONGEST_STAMP));
  const ms = match ? Date.parse(match[1]!) : NaN;
  if (!match || Number.isNaN(ms)) return null;
  const text = withoutInnerStamps(bytes.subarray(match[0].length)).toString('utf8');
  return { time: new Date(ms).toISOString(), text: cut ? `${text}…` : text, stream: 'o', cut };
}

const SECOND_MS = 1000;
/** Two writers of one container may be out of order by as much. */
const SLACK_MS = SECOND_MS;

/**
 * Knows the newest lines by their times, so that a log that is asked for again "since" a whole second goes on where it stopped. How
 * many lines a millisecond had counts, not where they stood: a file that was rotated in between begins later.
 */
export function createLogMemory(times: Iterable<string> = []) {
  let counts = new Map<number, number>();
  let newest = -Infinity;

  function remember(time: string): void {
    const ms = Date.parse(time);
    if (ms < floor(newest) - SLACK_MS) return;
    if (floor(ms) > floor(newest)) counts = new Map([...counts].filter(([each]) => each >= floor(ms) - SLACK_MS));
    newest = Math.max(newest, ms);
    counts.set(ms, (counts.get(ms) ?? 0) + 1);
  }
  for (const time of times) remember(time);

  return {
    remember,
    /** From where to ask; null: from the beginning. */
    since: (): string | null =>
      newest === -Infinity ? null : new Date(floor(newest) - SLACK_MS).toISOString().replace('.000Z', 'Z'),
    /** Tells, line by line of what was asked for, which are known. */
    recognise(): (line: PodLogLine) => boolean {
      const left = new Map(counts);
      return ({ time }) => {
        const ms = Date.parse(time);
        const count = left.get(ms) ?? 0;
        if (count > 0) left.set(ms, count - 1);
        return count > 0;
      };
    },
  };
}
export type LogMemory = ReturnType<typeof createLogMemory>;

const floor = (ms: number): number => Math.floor(ms / SECOND_MS) * SECOND_MS;
