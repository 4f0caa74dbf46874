/** What processes before this one could not tell the service: sent before this one registers, or else their tries would be lost. */
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LogChunk, TaskReport } from '#sdk/protocol.ts';
import { createResultUploads } from '../result-uploads.ts';
import { ServiceRefusal } from '../service-answer.ts';
import type { WorkerApi } from '../worker-api.ts';
import { ENDING_NAME, type Ending } from './ending-journal.ts';
import { SEGMENT_NAME } from './segments.ts';
import { abandonedFolders } from './spool-folder.ts';

const MOST_CHARACTERS = 1_000_000;
const MOST_CHUNKS = 500;
const BEAT_MS = 10_000;

export interface ReplayDeps {
  api: Pick<WorkerApi, 'appendLogs' | 'report' | 'heartbeat' | 'putArtifact'>;
  /** Folder of the spools of all processes. */
  home: string;
  /** Asks until the service answers. */
  untilAnswered<T>(ask: () => Promise<T>): Promise<T>;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export async function replaySpools(deps: ReplayDeps): Promise<void> {
  for (const folder of await abandonedFolders(deps.home)) {
    await replayFolder(deps, folder);
    await rm(folder, { recursive: true, force: true });
  }
}

async function replayFolder(deps: ReplayDeps, folder: string): Promise<void> {
  const { api, untilAnswered, log } = deps;
  const names = (await readdir(folder)).sort();
  const endings = await readEndings(folder, names, log);
  const dispatchIds = endings.map(({ report }) => report.dispatchId);
  log.info({ spool: basename(folder), ends: endings.length }, 'an earlier worker has left what it could not send');
  const beat = () => api.heartbeat(null, dispatchIds, {});
  if (dispatchIds.length > 0) await untilAnswered(beat);
  const timer = setInterval(() => void beat().catch(() => undefined), BEAT_MS);
  try {
    let chunks = 0;
    for (const name of names.filter((each) => SEGMENT_NAME.test(each)))
      for await (const batch of batchesOf(join(folder, name))) {
        await orRefused(
          untilAnswered(() => api.appendLogs(batch)),
          log,
        );
        chunks += batch.length;
      }
    const answers: { [answer: string]: number } = {};
    const uploads = createResultUploads(api, (error) => log.warn({ error }, 'a result could not be sent yet'));
    for (const { report, files } of endings) {
      const whole = files ? await uploads.upload(report, files) : report;
      const told = await orRefused(
        untilAnswered(() => api.report(null, [whole], null)),
        log,
      );
      const answer = told?.answers[0] ?? 'REFUSED';
      answers[answer] = (answers[answer] ?? 0) + 1;
    }
    log.info({ spool: basename(folder), chunks, ends: answers }, 'what an earlier worker had left was sent');
  } finally {
    clearInterval(timer);
  }
}

/** What the service will never take must not keep the rest; a key that it does not take ends the worker. */
async function orRefused<T>(asked: Promise<T>, log: ReplayDeps['log']): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof ServiceRefusal) || error.isCredential) throw error;
    log.warn({ error }, 'the service refuses a part of what an earlier worker had left');
    return null;
  }
}

async function readEndings(folder: string, names: string[], log: ReplayDeps['log']): Promise<Ending[]> {
  const endings: Ending[] = [];
  for (const name of names.filter((each) => ENDING_NAME.test(each))) {
    const ending = parse<Ending>(await readFile(join(folder, name), 'utf8'));
    if (ending && typeof (ending.report as TaskReport | undefined)?.dispatchId === 'string') endings.push(ending);
    else log.warn({ name }, 'the end of a task cannot be read');
  }
  return endings;
}

async function* batchesOf(path: string): AsyncGenerator<LogChunk[]> {
  let batch: LogChunk[] = [];
  let characters = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const chunk = parse<LogChunk>(line);
    // The last line of a process that was killed while it wrote
    if (!chunk?.dispatchId) continue;
    batch.push(chunk);
    characters += chunk.body.length;
    if (characters < MOST_CHARACTERS && batch.length < MOST_CHUNKS) continue;
    yield batch;
    batch = [];
    characters = 0;
  }
  if (batch.length > 0) yield batch;
}

function parse<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T | null;
  } catch {
    return null;
  }
}
