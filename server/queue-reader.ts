/** What goes on in all queues, for those who ask again and again: read every few seconds at most. */
import type { Db } from '#db/client.ts';
import { findQueueFigures, NO_FIGURES, type QueueFigures } from '#db/queries/queue-figures.ts';
import { listQueues } from '#db/queries/queues.ts';

export interface QueueState extends QueueFigures {
  name: string;
  paused: boolean;
}

/** A figure may be so old. */
const MAX_AGE_MS = 3_000;
/** Of more queues nothing is told: each is a series of its own. */
const MOST_QUEUES = 1_000;

export type QueueReader = () => Promise<QueueState[]>;

export function createQueueReader(db: Db, maxAgeMs = MAX_AGE_MS): QueueReader {
  let last: { at: number; states: Promise<QueueState[]> } | null = null;
  return () => {
    if (last && performance.now() - last.at < maxAgeMs) return last.states;
    const reading = { at: performance.now(), states: readQueues(db) };
    last = reading;
    reading.states.catch(() => {
      // The next one asks again
      if (last === reading) last = null;
    });
    return reading.states;
  };
}

async function readQueues(db: Db): Promise<QueueState[]> {
  const queues = await listQueues(db, { limit: MOST_QUEUES, inverted: false });
  const figures = await findQueueFigures(
    db,
    queues.map(({ name }) => name),
  );
  return queues.map(({ name, paused_at }) => ({
    name,
    paused: paused_at !== null,
    ...(figures.get(name) ?? NO_FIGURES),
  }));
}
