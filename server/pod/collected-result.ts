/** What a collector leaves in its termination message, which is how whoever watches the Pod learns of the result. */
import type { ArtifactRef, Json, TaskReport } from '#sdk/protocol.ts';

/** The kubelet keeps no more. */
const MOST_BYTES = 4_096;

export type Collected =
  | { value: Json }
  /** A value that was uploaded, and where it lies. */
  | { artifact: ArtifactRef & { preview: string } }
  /** Why there is no result. */
  | { problem: string };

export function writeCollected(collected: Collected): string {
  const text = JSON.stringify(collected);
  if (Buffer.byteLength(text) < MOST_BYTES || !('artifact' in collected)) return text;
  // Text of many bytes a character: a shorter beginning does as well
  const { preview } = collected.artifact;
  const shorter = preview.slice(0, Math.floor(preview.length / 2)).replace(/[\ud800-\udbff]$/, '');
  return writeCollected({ artifact: { ...collected.artifact, preview: shorter } });
}

/** For the report of the task. `message`: of the collector's container; null: it left none. */
export function readCollected(message: string | null): Pick<TaskReport, 'xcoms' | 'artifacts'> | { problem: string } {
  const collected = parse(message);
  if (collected && 'value' in collected) return { xcoms: { return_value: collected.value } };
  if (collected && 'artifact' in collected) return { artifacts: { return_value: collected.artifact } };
  return { problem: collected?.problem ?? `The result was not brought${message ? `: ${message.slice(0, 500)}` : '.'}` };
}

/** A container that broke leaves what it said last instead. */
function parse(message: string | null): Collected | null {
  try {
    const parsed = JSON.parse(message ?? '') as Collected | null;
    const isCollected = typeof parsed === 'object' && parsed !== null;
    return isCollected && ('value' in parsed || 'artifact' in parsed || 'problem' in parsed) ? parsed : null;
  } catch {
    return null;
  }
}
