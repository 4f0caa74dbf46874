/** Loads DAG files, each in a child process of its own: their code never runs in this one. */
import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { entryPoint } from '../entry-points.ts';
import type { LoadError } from './bundle-source.ts';
import type { LoadedFile, LoadedFileMessage } from './loaded-file.ts';

export interface LoadLimits {
  milliseconds: number;
  megabytes: number;
}
const LIMITS: LoadLimits = { milliseconds: 30_000, megabytes: 512 };
/** Of what the file printed while it was loaded, for the error message. */
const OUTPUT_KEPT = 4000;
/** Larger than any spec and bundle: a file that writes to the pipe by itself must not fill the memory. */
const MAX_MESSAGE = 256 * 2 ** 20;

export interface LoadOptions {
  limits?: LoadLimits;
  /** The top of the source: nothing outside of it may be read. Not given: the file may name any. */
  root?: string;
  /** A `requirements.txt` is looked for up to here; in the file's folder alone when neither this nor `root` is given. */
  top?: string;
}

export async function loadDagFile(
  path: string,
  { limits = LIMITS, root, top = root }: LoadOptions = {},
): Promise<LoadedFile> {
  const file = resolve(path);
  const child = await runLoader(
    [file, resolve(top ?? dirname(file)), ...(root === undefined ? [] : [resolve(root)])],
    limits,
  );
  const message = parseMessage(child.message);
  if (!message) return { dags: [], errors: [failureOf(file, child, limits)], inputs: [file] };
  const bundle = message.bundle && {
    hash: message.bundle.hash,
    archive: Buffer.from(message.bundle.archive, 'base64'),
  };
  return {
    dags: message.dags.map(({ spec, bundled }) => ({ spec, bundle: bundled ? bundle : null })),
    errors: message.errors,
    inputs: message.inputs.length > 0 ? message.inputs : [file],
  };
}

interface LoaderEnd {
  message: string;
  output: string;
  code: number | null;
  signal: string | null;
  timedOut: boolean;
}

function runLoader(files: string[], limits: LoadLimits): Promise<LoaderEnd> {
  const { command, args } = entryPoint('load-dag-file');
  return new Promise((done, failed) => {
    // No variable of ours reaches the file: it would see database addresses and keys.
    const child = spawn(command, [`--max-old-space-size=${limits.megabytes}`, ...args, ...files], {
      env: {},
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    let timedOut = false;
    const killGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup();
    }, limits.milliseconds);
    const message = collect(child.stdio[3] as Readable, MAX_MESSAGE, killGroup);
    const output = [child.stdout as Readable, child.stderr as Readable].map((stream) => collect(stream, OUTPUT_KEPT));
    child.on('error', (cause) => {
      clearTimeout(timer);
      failed(new Error(`Cannot start the loader of DAG files (${command}).`, { cause }));
    });
    // What the file started must not outlive it. It holds our pipes open: only its end closes them.
    child.on('exit', killGroup);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      done({
        message: message(),
        output: output
          .map((read) => read())
          .join('')
          .trim(),
        code,
        signal,
        timedOut,
      });
    });
  });
}

/** Keeps the first `limit` bytes of a stream. */
function collect(stream: Readable, limit: number, onOverflow?: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else onOverflow?.();
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function parseMessage(text: string): LoadedFileMessage | null {
  try {
    return text === '' ? null : (JSON.parse(text) as LoadedFileMessage);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function failureOf(file: string, end: LoaderEnd, limits: LoadLimits): LoadError {
  const said = end.output ? ` It printed: ${end.output}` : '';
  return { message: `${reasonOf(end, limits)}${said}`, file, line: null, column: null };
}

function reasonOf({ timedOut, output, code, signal }: LoaderEnd, limits: LoadLimits): string {
  if (timedOut)
    return `Loading took longer than ${limits.milliseconds / 1000} s. A DAG file describes work and does none itself: move it into a task.`;
  if (output.includes('heap out of memory'))
    return `Loading needed more than ${limits.megabytes} MiB of memory. Read large data in a task, not in the file.`;
  return `Loading ended without a result (${signal ? `signal ${signal}` : `exit code ${code}`}). Does the file call process.exit()?`;
}
