/** Lines in files of a folder, each until it is released. A file goes with its last line. */
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What has been released gives its room back when all of its file has. */
const SEGMENT_BYTES = 16 * 2 ** 20;
const NEWLINE = '\n';

interface Segment {
  path: string;
  fd: number;
  end: number;
  /** Lines that are still wanted. */
  wanted: number;
}

/** Where a line is. */
export interface Place {
  readonly segment: Segment;
  readonly at: number;
  readonly bytes: number;
}

export interface Segments {
  /** Throws when there is no room on the disk; then nothing of it is there. */
  write(line: string): Place;
  read(place: Place): string;
  release(place: Place): void;
  /** Bytes of all files. */
  size(): number;
  /** The files stay, for whoever comes after. */
  close(): void;
}

export const SEGMENT_NAME = /^log-\d{6}\.ndjson$/;

export function createSegments(dir: string, segmentBytes = SEGMENT_BYTES): Segments {
  const open = new Set<Segment>();
  let current: Segment | null = null;
  let made = 0;

  const begin = (): Segment => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const path = join(dir, `log-${String(++made).padStart(6, '0')}.ndjson`);
    const segment = { path, fd: openSync(path, 'wx+', 0o600), end: 0, wanted: 0 };
    open.add(segment);
    return segment;
  };
  const remove = (segment: Segment) => {
    closeSync(segment.fd);
    rmSync(segment.path, { force: true });
    open.delete(segment);
    if (segment === current) current = null;
  };

  return {
    write(line) {
      if (current && current.end >= segmentBytes) current = null;
      current ??= begin();
      const segment = current;
      const data = Buffer.from(line + NEWLINE);
      try {
        for (let done = 0; done < data.length;)
          done += writeSync(segment.fd, data, done, data.length - done, segment.end + done);
      } catch (error) {
        ftruncateSync(segment.fd, segment.end);
        if (segment.wanted === 0) remove(segment);
        throw error;
      }
      const place = { segment, at: segment.end, bytes: data.length - NEWLINE.length };
      segment.end += data.length;
      segment.wanted += 1;
      return place;
    },
    read({ segment, at, bytes }) {
      const data = Buffer.alloc(bytes);
      for (let done = 0; done < bytes;) {
        const got = readSync(segment.fd, data, done, bytes - done, at + done);
        if (got === 0) throw new Error(`${segment.path} was cut: a log is not whole.`);
        done += got;
      }
      return data.toString();
    },
    release({ segment }) {
      segment.wanted -= 1;
      if (segment.wanted === 0 && open.has(segment)) remove(segment);
    },
    size: () => [...open].reduce((sum, { end }) => sum + end, 0),
    close() {
      for (const { fd } of open) closeSync(fd);
      open.clear();
      current = null;
    },
  };
}
