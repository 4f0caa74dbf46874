import { Writable } from 'node:stream';
import pino from 'pino';
import type { LogFormat, LogLevel } from './log-options.ts';

export type Logger = pino.Logger;

export interface LogOptions {
  level: LogLevel;
  format: LogFormat;
  /** Which role speaks. */
  role?: string;
  /** Where the lines go: stderr unless given, so that stdout stays the command's result. */
  destination?: NodeJS.WritableStream;
}

const SECRETS = ['token', 'password', 'authorization', 'cookie', 'secret', 'secretKey', 'databaseUrl'];

/** Constant message, values as fields: `log.info({ runId }, 'run created')`. */
export function createLogger({ level, format, role, destination = process.stderr }: LogOptions): Logger {
  return pino(
    {
      level,
      base: role ? { role } : {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.errWithCause },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[hidden]' },
    },
    format === 'json' ? destination : asText(destination),
  );
}

interface Line {
  level: string;
  time: string;
  msg?: string;
  role?: string;
  error?: { message?: string; stack?: string };
  [field: string]: unknown;
}

/** `12:00:00 info message key=value`, for people at a terminal. */
function asText(destination: NodeJS.WritableStream): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      for (const text of String(chunk).split('\n')) if (text) destination.write(formatLine(JSON.parse(text) as Line));
      done();
    },
  });
}

function formatLine({ level, time, msg, role: _role, error, ...fields }: Line): string {
  const values = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const trouble = error ? `\n  ${(error.stack ?? error.message ?? '').replaceAll('\n', '\n  ')}` : '';
  return `${time.slice(11, 19)} ${level.padEnd(5)} ${[msg, ...values].join(' ')}${trouble}\n`;
}
