import type { LogLine } from '../task-log.ts';

const LINE = /^(\S+) ([oes]) ?(.*)$/;
const STREAMS: { [letter: string]: LogLine['stream'] } = { o: 'STDOUT', e: 'STDERR', s: 'SYSTEM' };

/** The lines of a chunk, which is cut at a line's end. */
export const linesOf = (body: string): LogLine[] =>
  body
    .split('\n')
    .filter(Boolean)
    .map((text) => {
      const match = LINE.exec(text);
      return match
        ? { at: match[1]!, stream: STREAMS[match[2]!]!, text: match[3]!.replace(/\r$/, '') }
        : { at: new Date().toISOString(), stream: 'STDOUT', text };
    });
