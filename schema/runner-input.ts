/** What runners send, checked by hand: these lists are long and come thousands of times a second. */
import type { Json, LogChunk, ReportOutcome, TaskReport } from '#sdk/protocol.ts';
import { TASK_CAUSES, type TaskCause } from '#sdk/states.ts';
import type { Viewer } from './context.ts';
import { badInput } from './errors.ts';

const MOST_REPORTS = 1_000;
const MOST_CHUNKS = 1_000;
const MOST_CHUNK_CHARACTERS = 1024 * 1024;
const MOST_MESSAGE = 8_000;
const OUTCOMES: ReadonlySet<unknown> = new Set<ReportOutcome>([
  'success',
  'failed',
  'skipped',
  'released',
  'rescheduled',
]);
const MOST_SECONDS = 7 * 86_400;
const MOST_BRANCH = 10_000;
const MOST_MAP_NAME = 250;
const MOST_ARTIFACTS = 200;
const MOST_PREVIEW = 2_000;
const CAUSES: ReadonlySet<unknown> = new Set<TaskCause>(TASK_CAUSES);

type Fields = { [key: string]: unknown };

function fieldsOf(item: unknown, where: string): Fields {
  if (item === null || typeof item !== 'object' || Array.isArray(item)) throw badInput(`${where} must be an object.`);
  return item as Fields;
}

function checkLength(list: readonly unknown[], most: number, what: string): void {
  if (list.length > most) throw badInput(`${what}: at most ${most} at once, not ${list.length}.`);
}

const isObjectOrNothing = (value: unknown): boolean =>
  value == null || (typeof value === 'object' && !Array.isArray(value));
const isDelay = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= MOST_SECONDS;
const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MOST_BRANCH && value.every((item) => typeof item === 'string');
const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const isArtifact = (value: unknown): boolean => {
  const { hash, bytes, preview } = (isObjectOrNothing(value) && (value as Fields | null)) || {};
  const isHash = typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash);
  return isHash && isCount(bytes) && typeof preview === 'string' && preview.length <= MOST_PREVIEW;
};

function checkArtifacts(artifacts: unknown, where: string): void {
  if (artifacts == null) return;
  const list = isObjectOrNothing(artifacts) ? Object.values(artifacts as Fields) : null;
  if (!list || list.length > MOST_ARTIFACTS || !list.every(isArtifact))
    throw badInput(`${where}.artifacts must be an object of at most ${MOST_ARTIFACTS} { hash, bytes, preview }.`);
}

export function readReports(items: readonly unknown[]): TaskReport[] {
  checkLength(items, MOST_REPORTS, 'reports');
  return items.map((item, index) => {
    const where = `reports[${index}]`;
    const fields = fieldsOf(item, where);
    const {
      dispatchId,
      outcome,
      cause,
      message,
      exitCode,
      evidence,
      xcoms,
      artifacts,
      logBytes,
      retryable,
      branch,
      skipAll,
      mapName,
      afterSeconds,
    } = fields;
    if (typeof dispatchId !== 'string') throw badInput(`${where}.dispatchId must be a string.`);
    if (!OUTCOMES.has(outcome)) throw badInput(`${where}.outcome must be one of ${[...OUTCOMES].join(', ')}.`);
    if (!CAUSES.has(cause)) throw badInput(`${where}.cause is not a known cause: ${JSON.stringify(cause)}.`);
    if (message != null && typeof message !== 'string') throw badInput(`${where}.message must be a string.`);
    if (exitCode != null && !Number.isInteger(exitCode)) throw badInput(`${where}.exitCode must be a whole number.`);
    if (!isObjectOrNothing(evidence)) throw badInput(`${where}.evidence must be an object.`);
    if (!isObjectOrNothing(xcoms)) throw badInput(`${where}.xcoms must be an object.`);
    checkArtifacts(artifacts, where);
    if (!isCount(logBytes)) throw badInput(`${where}.logBytes must be a count of bytes.`);
    if (retryable !== undefined && typeof retryable !== 'boolean')
      throw badInput(`${where}.retryable must be a boolean.`);
    if (outcome === 'rescheduled' && !isDelay(afterSeconds))
      throw badInput(`${where}.afterSeconds must be a number from 0 to ${MOST_SECONDS}.`);
    if (branch != null && !isTextList(branch)) throw badInput(`${where}.branch must be a list of task ids.`);
    if (skipAll !== undefined && typeof skipAll !== 'boolean') throw badInput(`${where}.skipAll must be a boolean.`);
    if (mapName != null && typeof mapName !== 'string') throw badInput(`${where}.mapName must be a string.`);
    return {
      dispatchId,
      outcome: outcome as ReportOutcome,
      cause: cause as TaskCause,
      message: message?.slice(0, MOST_MESSAGE) ?? null,
      exitCode: (exitCode ?? null) as number | null,
      evidence: (evidence ?? null) as { [key: string]: Json } | null,
      xcoms: (xcoms ?? null) as { [key: string]: Json } | null,
      logBytes,
      ...(artifacts == null ? {} : { artifacts: artifacts as NonNullable<TaskReport['artifacts']> }),
      ...(retryable === undefined ? {} : { retryable }),
      ...(isDelay(afterSeconds) ? { afterSeconds } : {}),
      ...(branch == null ? {} : { branch }),
      ...(skipAll === undefined ? {} : { skipAll }),
      ...(mapName == null ? {} : { mapName: mapName.slice(0, MOST_MAP_NAME) }),
      ...(fields['rendered'] == null ? {} : { rendered: readRendered(fields['rendered'], where) }),
    };
  });
}

const MOST_RENDERED = 256 * 1024;

function readRendered(value: unknown, where: string): { [field: string]: string } {
  const fields = fieldsOf(value, `${where}.rendered`);
  let length = 0;
  for (const [field, text] of Object.entries(fields)) {
    if (typeof text !== 'string') throw badInput(`${where}.rendered: ${field.slice(0, 100)} must be text.`);
    length += field.length + text.length;
  }
  if (length > MOST_RENDERED) throw badInput(`${where}.rendered: at most ${MOST_RENDERED} characters.`);
  return fields as { [field: string]: string };
}

export function readLogChunkInput(items: readonly unknown[]): LogChunk[] {
  checkLength(items, MOST_CHUNKS, 'chunks');
  return items.map((item, index) => {
    const where = `chunks[${index}]`;
    const { dispatchId, offset, body } = fieldsOf(item, where);
    if (typeof dispatchId !== 'string') throw badInput(`${where}.dispatchId must be a string.`);
    if (!isCount(offset)) throw badInput(`${where}.offset must be a count of bytes.`);
    if (typeof body !== 'string' || body === '') throw badInput(`${where}.body must be text.`);
    if (body.length > MOST_CHUNK_CHARACTERS)
      throw badInput(`${where}.body: at most ${MOST_CHUNK_CHARACTERS} characters.`);
    return { dispatchId, offset, body };
  });
}

/** A runner speaks for its own dispatch and for no other. */
export function checkDispatches(viewer: Viewer | null, dispatchIds: readonly string[]): void {
  if (!viewer || viewer.dispatchId === null) return;
  const other = dispatchIds.find((id) => id !== viewer.dispatchId);
  if (other !== undefined) throw badInput(`This token is for another dispatch than ${other}.`);
}
