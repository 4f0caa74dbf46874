/** Claims: from the table as a whole, or of the rows that a broker names. */
import type pg from 'pg';
import { isReservedQueue } from '#sdk/system-tasks.ts';
import { STILL_READY } from '#db/queries/task-transitions/claim-tasks.ts';
import type { ReadyRow } from '#db/queries/task-transitions/ready-rows.ts';
import type { Broker } from './broker.ts';
import { readyColumns } from './key-columns.ts';
import type { ReportRequest } from './engine.ts';
import type { PausedQueues } from './paused-queues.ts';
import type { ClaimedTask, ClaimItem, ClaimRequest } from './work-items.ts';

export interface ClaimsDeps {
  pool: pg.Pool;
  broker: Broker;
  paused: PausedQueues;
  submit(item: ClaimItem): void;
  onError(error: unknown): void;
}

export interface Claims {
  claim(request: ClaimRequest): Promise<ClaimedTask[]>;
  /** What goes into the flush of a report: with a broker no claim but hand-overs, for only then is it known how many slots are left. */
  withReport(request: ReportRequest): ReportRequest;
  /** For the slots that the flush of a report has left free; nothing where it has claimed for them itself. */
  afterReport(request: ReportRequest, taken: number): Promise<ClaimedTask[]>;
}

/** A run is locked for as long as a flush takes: so often its rows are asked for at once, then they are left to a later claim. */
const MOST_LOOKS = 3;

export function createClaims({ pool, broker, paused, submit, onError }: ClaimsDeps): Claims {
  const send = (claim: ClaimRequest): Promise<ClaimedTask[]> =>
    new Promise((resolve, reject) => submit({ kind: 'claim', rows: 1, claim, resolve, reject }));

  const stillReady = async (rows: readonly ReadyRow[]): Promise<ReadyRow[]> => {
    const { rows: found } = await pool.query<{ n: number }>({ ...STILL_READY, values: readyColumns(rows) });
    return found.flatMap(({ n }) => rows[n - 1] ?? []);
  };

  /** A row that is gone was a message too many, and is forgotten. */
  const claimRows = async (request: ClaimRequest, named: ReadyRow[]): Promise<ClaimedTask[]> => {
    const claimed: ClaimedTask[] = [];
    let left = named;
    try {
      for (let look = 0; left.length > 0 && look < MOST_LOOKS; look++) {
        const got = await send({ ...request, limit: left.length, rows: left });
        claimed.push(...got);
        left = got.length < left.length ? await stillReady(left) : [];
      }
      return claimed;
    } catch (error) {
      // What is claimed must reach its worker; what failed is still in line
      if (claimed.length === 0) throw error;
      return claimed;
    } finally {
      if (left.length > 0) await broker.putBack(left);
    }
  };

  const claim = async (request: ClaimRequest): Promise<ClaimedTask[]> => {
    // Tasks of the service itself never go through a broker
    if (!broker.tells || request.queues.some(isReservedQueue)) return send(request);
    const closed = await paused.current();
    const open = request.queues.filter((queue) => !closed.has(queue));
    const named = await broker.take(open, request.limit);
    return named === null ? send(request) : claimRows(request, named);
  };

  return {
    claim,
    withReport: (request) =>
      broker.tells && request.claim ? { ...request, claim: { ...request.claim, rows: [] } } : request,
    async afterReport({ workerId, claim: wish }, taken) {
      if (!broker.tells || !wish || workerId === null || wish.limit <= taken) return [];
      try {
        return await claim({ workerId, queues: wish.queues, limit: wish.limit - taken });
      } catch (error) {
        // The report stands: its answers must not be lost
        onError(error);
        return [];
      }
    },
  };
}
