/**
 * The output of one container, live and whole: followed while it runs, taken up again where a connection broke, and read once more when
 * it has ended, until nothing new comes.
 */
import type { ClusterClient } from './cluster-client.ts';
import { hasStatus } from './kube-error.ts';
import { createLogMemory, readLogLine, type LogMemory, type PodLogLine } from './log-lines.ts';
import { createLineSplitter, type Line } from './split-lines.ts';

export interface FollowLogOptions {
  client: Pick<ClusterClient, 'podLog'>;
  namespace: string;
  pod: string;
  container: string;
  /** Aborts when the container has ended: from then on the log is read to its end. */
  ended: AbortSignal;
  /** Stops at once. */
  signal: AbortSignal;
  /** Times of lines had before, by whoever; the last two seconds of them are enough. */
  resumeAfter?: Iterable<string>;
  /** In order; the next are read when it resolves. */
  onLines(lines: PodLogLine[]): Promise<void> | void;
  /** A read failed and will be tried again. */
  onRetry?(error: Error): void;
  mostLineBytes?: number;
  /** An open stream is renewed so often: one whose node has died would look like a container with nothing to say. */
  followMs?: number;
  /** After the container's end: until an open stream must have ended, and until reads must have succeeded. */
  graceMs?: number;
  drainMs?: number;
  /** Pause after a failed read; doubles up to `mostPauseMs`. */
  pauseMs?: number;
  mostPauseMs?: number;
}

export interface LogEnd {
  /** All that the container wrote was given to `onLines`. */
  complete: boolean;
  /** Why it may not be complete. */
  problem: string | null;
}

type Settings = Required<Omit<FollowLogOptions, 'resumeAfter'>>;

const MINUTE_MS = 60_000;
const DEFAULTS = {
  onRetry: () => undefined,
  mostLineBytes: 256 * 1024,
  followMs: 10 * MINUTE_MS,
  graceMs: 5_000,
  drainMs: MINUTE_MS,
  pauseMs: 250,
  mostPauseMs: 10_000,
};
/** So long the news of a container's end may come after the end of its stream. */
const NEWS_MS = 2_000;
/** What a kubelet says, in the stream, of a container that it has removed. */
const REMOVED = /not ?found|no such file|unable to retrieve container logs|does not exist/i;

/** How one read ended. `fresh`: lines that were new. `rest`: what stood after the last newline. `words`: a kubelet's own. */
type Read =
  | { kind: 'end'; fresh: number; rest: Line | null; words: string[] }
  /** By us, to be opened again. */
  | { kind: 'stopped'; fresh: number }
  | { kind: 'failed'; fresh: number; error: Error };

/** Resolves after `ms`, or as soon as one of the signals is given. */
function pause(ms: number, ...signals: AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) {
      if (signal.aborted) return done();
      signal.addEventListener('abort', done);
    }
  });
}

/** Ends a read that goes on when it should not: when told to stop, some time after the container's end, and at times for no reason. */
function limitRead({ ended, signal, graceMs, followMs }: Settings, follow: boolean) {
  const limit = new AbortController();
  const stop = () => limit.abort();
  let late: NodeJS.Timeout | undefined;
  const hurry = () => (late = setTimeout(stop, graceMs));
  const renew = follow ? setTimeout(stop, followMs) : undefined;
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  if (follow && ended.aborted) hurry();
  else if (follow) ended.addEventListener('abort', hurry);
  return {
    signal: limit.signal,
    release() {
      clearTimeout(late);
      clearTimeout(renew);
      signal.removeEventListener('abort', stop);
      ended.removeEventListener('abort', hurry);
    },
  };
}

/** From where `memory` ends to the end of the stream. What `onLines` throws goes through. */
async function readOnce(settings: Settings, memory: LogMemory, follow: boolean): Promise<Read> {
  const { client, namespace, pod, container, mostLineBytes, onLines } = settings;
  const splitter = createLineSplitter(mostLineBytes);
  const isKnown = memory.recognise();
  const words: string[] = [];
  const limit = limitRead(settings, follow);
  let fresh = 0;
  const failed = { inCallback: false };

  const handOver = async (lines: Line[]) => {
    const read = lines.map((line) => readLogLine(line) ?? void words.push(line.bytes.toString('utf8')));
    const news = read.filter((line): line is PodLogLine => line !== undefined && !isKnown(line));
    if (news.length === 0) return;
    try {
      await onLines(news);
    } catch (error) {
      failed.inCallback = true;
      throw error;
    }
    for (const { time } of news) memory.remember(time);
    fresh += news.length;
  };

  try {
    const options = { container, follow, timestamps: true, sinceTime: memory.since(), signal: limit.signal };
    const stream = await client.podLog(namespace, pod, options);
    for await (const chunk of stream as AsyncIterable<Buffer>) await handOver(splitter.push(chunk));
    return { kind: 'end', fresh, rest: splitter.rest(), words };
  } catch (error) {
    if (failed.inCallback) throw error;
    if (limit.signal.aborted) return { kind: 'stopped', fresh };
    return { kind: 'failed', fresh, error: error as Error };
  } finally {
    limit.release();
  }
}

/** The last line of an output that does not end with a newline. */
function lastLine(rest: Line | null, memory: LogMemory): PodLogLine | null {
  const line = rest && readLogLine(rest);
  return line && !memory.recognise()(line) ? line : null;
}

const isSame = (a: Line | null, b: Line | null): boolean => (a && b ? a.bytes.equals(b.bytes) : a === b);
const isNotStarted = (error: Error): boolean =>
  hasStatus(error, 400) && /waiting to start|not ready/.test(error.message);

/** Rejects with what `onLines` threw; everything else is tried again or told in the result. */
export async function followPodLog({ resumeAfter, ...given }: FollowLogOptions): Promise<LogEnd> {
  const settings: Settings = { ...DEFAULTS, ...given };
  const { ended, signal, onLines, onRetry, pauseMs, mostPauseMs, drainMs } = settings;
  const memory = createLogMemory(resumeAfter);
  /** What the last read had after its last newline; undefined before a read of the whole. */
  let held: Line | null | undefined;
  let failures = 0;
  let overAt: number | null = null;

  /** After a read of an ended container's log. Undefined: read on. */
  async function conclude(read: Read & { kind: 'end' }): Promise<LogEnd | undefined> {
    const removed = read.words.find((word) => REMOVED.test(word));
    if (removed) return { complete: false, problem: `The node has removed the log: ${removed.trim()}` };
    // A connection that broke between API server and node ends like a whole one: only a read that adds nothing proves the end.
    const isProven = read.fresh === 0 && held !== undefined && isSame(read.rest, held);
    held = read.rest;
    if (!isProven && !(read.fresh === 0 && read.rest === null)) return undefined;
    const last = lastLine(read.rest, memory);
    if (last) await onLines([last]);
    return { complete: true, problem: null };
  }

  async function afterFailure(error: Error, isOver: boolean): Promise<LogEnd | undefined> {
    if (hasStatus(error, 404)) return { complete: false, problem: `The Pod is gone: ${error.message}` };
    if (isOver && isNotStarted(error)) return { complete: true, problem: null };
    if (isOver && overAt !== null && performance.now() - overAt > drainMs)
      return { complete: false, problem: `The log could not be read: ${error.message}` };
    if (!isNotStarted(error)) onRetry(error);
    const ms = Math.min(isNotStarted(error) ? NEWS_MS : mostPauseMs, pauseMs * 2 ** failures);
    failures += 1;
    await (isOver ? pause(ms, signal) : pause(ms, signal, ended));
    return undefined;
  }

  async function afterEnd(read: Read & { kind: 'end' }, isOver: boolean): Promise<LogEnd | undefined> {
    if (isOver) return conclude(read);
    await pause(Math.min(mostPauseMs, NEWS_MS * 2 ** failures), signal, ended);
    failures += 1;
    return undefined;
  }

  while (!signal.aborted) {
    const isOver = ended.aborted;
    if (isOver) overAt ??= performance.now();
    const read = await readOnce(settings, memory, !isOver);
    if (signal.aborted) break;
    if (read.kind === 'stopped') continue;
    if (read.fresh > 0) failures = 0;
    const end = read.kind === 'failed' ? await afterFailure(read.error, isOver) : await afterEnd(read, isOver);
    if (end) return end;
  }
  return { complete: false, problem: 'Stopped.' };
}
