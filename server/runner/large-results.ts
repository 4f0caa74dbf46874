/** Results too large for a report: in a file, from where the worker uploads them. */
import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ASSET_KEY } from '#sdk/asset-events.ts';
import type { ArtifactRef, Json } from '#sdk/protocol.ts';

/** A value whose JSON has no more bytes stays in the report. */
export const INLINE_BYTES = 64 * 1024;
/** Of all values of one report together. */
const INLINE_TOTAL = 256 * 1024;
const PREVIEW_CHARACTERS = 1_000;
const MOST_KEYS = 200;

export interface ResultFile extends ArtifactRef {
  path: string;
  /** The beginning of the JSON. */
  preview: string;
}

/** Whether the preview is all of it. */
export const isWhole = ({ preview, bytes }: ResultFile): boolean => Buffer.byteLength(preview) === bytes;

export interface Spilled {
  xcoms: { [key: string]: Json };
  files: { [key: string]: ResultFile };
  /** Why they cannot be kept; null: they can. */
  problem: string | null;
}

export interface ResultRoom {
  /** Where files go. */
  dir: string;
  /** Bytes of one value. */
  limit: number;
  /** Bytes of one value up to which it needs no file; INLINE_BYTES unless given. */
  inline?: number;
}

/** Of all tasks of a supervisor; it goes with its work folder. */
export const roomOf = ({ workDir, resultLimit }: { workDir: string; resultLimit: number }): ResultRoom => ({
  dir: workDir,
  limit: resultLimit,
});

/** PostgreSQL's JSON holds neither NUL characters nor halves of surrogate pairs. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/** Whether JSON as JavaScript writes it cannot be stored; whole pairs are never written as escapes. */
export const isUnstorable = (text: string): boolean => text.includes('\\u') && UNSTORABLE.test(text);

export const unstorable = (key: string): string =>
  `${nameOf(key)} has a NUL character or half of a surrogate pair in a string, which cannot be stored. Return text, not bytes.`;

/** Writes the large ones to files. Runs where the results were made, so that no other process holds them whole. */
export function spillResults(
  results: { [key: string]: Json },
  { dir, limit, inline: most = INLINE_BYTES }: ResultRoom,
): Spilled {
  const spilled: Spilled = { xcoms: {}, files: {}, problem: null };
  const keys = Object.keys(results);
  if (keys.length > MOST_KEYS) return { ...spilled, problem: `${keys.length} results; at most ${MOST_KEYS} are kept.` };
  let inline = 0;
  for (const [key, value] of Object.entries(results)) {
    const text = JSON.stringify(value);
    const bytes = Buffer.byteLength(text);
    if (bytes > limit) return { xcoms: {}, files: {}, problem: tooLarge(key, bytes, limit) };
    if (isUnstorable(text)) return { xcoms: {}, files: {}, problem: unstorable(key) };
    // No result, and small: whoever reads it cannot fetch it
    if (key === ASSET_KEY || (bytes <= most && inline + bytes <= INLINE_TOTAL)) {
      inline += bytes;
      spilled.xcoms[key] = value;
    } else spilled.files[key] = toFile(text, bytes, dir);
  }
  return spilled;
}

const size = (bytes: number) =>
  bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;

const nameOf = (key: string) => (key === 'return_value' ? 'The return value' : `The result '${key.slice(0, 60)}'`);

const tooLarge = (key: string, bytes: number, limit: number): string =>
  `${nameOf(key)} has ${size(bytes)} as JSON, more than the limit of ${size(limit)}. Write large data to a file or table and return where it is.`;

function toFile(text: string, bytes: number, dir: string): ResultFile {
  const path = join(dir, `result-${randomUUID()}.json`);
  writeFileSync(path, text);
  const hash = createHash('sha256').update(text).digest('hex');
  return { path, bytes, hash, preview: text.slice(0, PREVIEW_CHARACTERS).replace(/[\ud800-\udbff]$/, '') };
}
