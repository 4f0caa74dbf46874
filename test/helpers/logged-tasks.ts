import fc from 'fast-check';
import type { Database } from '#db/client.ts';
import { parseDispatchId, type DispatchKey } from '#db/engine/dispatch-id.ts';
import { appendLogChunks } from '#db/queries/log.ts';
import { dagOf, reportOf, type TestEngine } from './engine.ts';

export interface LoggedTask extends DispatchKey {
  dispatchId: string;
  /** Chunks with their offsets, in any order. */
  append(...chunks: { offset: number; body: string }[]): Promise<void>;
  /** The whole log in these chunks. */
  write(...bodies: string[]): Promise<void>;
  /** Its try succeeds; the end marker is what was written unless given. */
  end(logBytes?: number): Promise<void>;
  /** As if it had ended so long ago. */
  endedAgo(seconds: number): Promise<void>;
}

/** Starts tasks that are given their logs by the test. */
export async function createLoggedTasks({ pool }: Pick<Database, 'pool'>, engine: TestEngine, dagId = 'logged') {
  const deployed = await engine.deploy(dagOf(dagId, { write: [] }, { maxActiveRuns: 10_000 }));
  const workerId = await engine.worker(`of ${dagId}`);
  return async function start(): Promise<LoggedTask> {
    const [run] = await engine.createRuns([{ dagId: deployed.dagId, kind: 'manual' }]);
    const claimed = await engine.claim({ workerId, queues: ['default'], limit: 100 });
    const dispatch = claimed.find((one) => one.run.runId === String(run?.runId));
    const key = dispatch && parseDispatchId(dispatch.dispatchId);
    if (!key) throw new Error(`Run ${run?.runId} was not claimed.`);
    const { dispatchId } = dispatch;
    let written = 0;
    const append: LoggedTask['append'] = async (...chunks) => {
      const accepted = await appendLogChunks(
        pool,
        chunks.map((chunk) => ({ dispatchId, ...chunk })),
      );
      if (accepted !== chunks.length) throw new Error(`Of ${chunks.length} chunks ${accepted} were taken.`);
    };
    return {
      ...key,
      dispatchId,
      append,
      async write(...bodies) {
        const chunks = bodies.map((body) => {
          const offset = written;
          written += Buffer.byteLength(body);
          return { offset, body };
        });
        await append(...chunks);
      },
      async end(logBytes = written) {
        await engine.report({ workerId, reports: [reportOf({ dispatchId }, 'success', { logBytes })] });
      },
      async endedAgo(seconds) {
        await pool.query(`update task_try set ended_at = ended_at - $2 * interval '1 second' where run_id = $1`, [
          key.runId,
          seconds,
        ]);
      },
    };
  };
}

export const logLine = (text: string, letter = 'o') => `2026-01-01T00:00:00.000Z ${letter} ${text}\n`;

/** Cuts a text anywhere between its characters. */
export function cutText(text: string, places: readonly number[]): string[] {
  const characters = [...text];
  const cuts = [0, ...new Set(places.map((place) => place % (characters.length + 1))), characters.length].sort(
    (a, b) => a - b,
  );
  return cuts.slice(1).flatMap((to, i) => {
    const part = characters.slice(cuts[i], to).join('');
    return part === '' ? [] : [part];
  });
}

const TEXTS = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('needle', 'Nadel im Heu: NEEDLE', '🪡 ünïcödé 語', '', 'x'.repeat(300)),
);
/** Logs of any lines in any chunks: 1 to 4 bytes a character. */
export const anyLog = fc
  .record({
    texts: fc.array(
      TEXTS.map((text) => text.replaceAll(/[\n\0]/g, ' ')),
      { minLength: 1, maxLength: 60, size: 'max' },
    ),
    places: fc.array(fc.nat(20_000), { maxLength: 30, size: 'max' }),
  })
  .map(({ texts, places }) => {
    const text = texts.map((one) => logLine(one)).join('');
    return { text, chunks: cutText(text, places) };
  });
