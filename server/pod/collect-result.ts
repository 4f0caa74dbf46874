/** The result of a Pod of any image: when its container has ended, what it left in a file is brought to the service. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '#sdk/protocol.ts';
import { spillResults, type ResultFile } from '../runner/large-results.ts';
import { askUntilAnswered } from '../worker/ask-until-answered.ts';
import { UploadRefused } from '../worker/worker-api.ts';
import type { Collected } from './collected-result.ts';
import type { PodLog } from './pod-log.ts';
import type { PodService } from './pod-service.ts';

const MIB = 2 ** 20;
/** Of a result, and of the file that it is in. */
const MOST_BYTES = 64 * MIB;
/** What is larger is uploaded: a termination message has 4096 bytes. */
const INLINE_BYTES = 2_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 3_000;

export interface CollectDeps {
  service: PodService;
  /** For messages. */
  url: string;
  dispatchId: string;
  /** What the task wrote; only its name is the same where the task sees it. */
  file: string;
  /** Where files may be written. */
  dir: string;
  signal: AbortSignal;
  log: PodLog;
}

/** Null: nobody waits for it. Rejects when the service refuses, and as soon as `signal` aborts. */
export async function collectResult(deps: CollectDeps): Promise<Collected | null> {
  const { service, url, signal, log } = deps;
  await askUntilAnswered({ url, log, signal, ask: () => service.exchange() });
  log.info({ file: deps.file }, 'waits for the end of the task');
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
    const wish = await askUntilAnswered({ url, log, signal, ask: () => service.resultWish() });
    if (wish === 'NEVER') return null;
    if (wish === 'NOW') return bring(deps);
    await sleep(pause, undefined, { signal });
  }
}

async function bring({ service, url, dispatchId, file, dir, signal, log }: CollectDeps): Promise<Collected> {
  const found = await stat(file).catch(() => null);
  if (!found?.isFile())
    return { problem: `The task has ended without writing its result: there is no file ${basename(file)}.` };
  if (found.size > MOST_BYTES)
    return {
      problem: `The file ${basename(file)} has ${(found.size / MIB).toFixed(1)} MiB, more than the limit of ${MOST_BYTES / MIB} MiB.`,
    };
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => ({
    problem: `The file ${basename(file)} could not be read: ${error.code ?? error.message}.`,
  }));
  if (typeof text !== 'string') return text;
  const value = valueOf(text);
  const { xcoms, files, problem } = spillResults(
    { return_value: value },
    { dir, limit: MOST_BYTES, inline: INLINE_BYTES },
  );
  if (problem !== null) return { problem };
  const large = files['return_value'];
  if (!large) return { value: xcoms['return_value'] ?? null };
  const upload = () => askUntilAnswered({ url, log, signal, ask: () => put(service, dispatchId, large) });
  const refusal = await upload();
  if (refusal !== null) return { problem: `The result could not be stored: ${refusal}` };
  const { hash, bytes, preview } = large;
  log.info({ bytes }, 'the result is stored');
  return { artifact: { hash, bytes, preview } };
}

/** Null: it is stored; else why it never will be. */
async function put(service: PodService, dispatchId: string, file: ResultFile): Promise<string | null> {
  try {
    await service.putArtifact(dispatchId, file);
    return null;
  } catch (error) {
    if (error instanceof UploadRefused) return error.message;
    throw error;
  }
}

/** JSON, or else the text as it is, without the line's end. */
function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text.replace(/\r?\n$/, '');
  }
}
