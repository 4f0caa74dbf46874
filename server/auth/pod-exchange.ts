/** From the token of a Pod's service account to the dispatch that the Pod is for. Whoever asks is told as little as can be. */
import type { Db } from '#db/client.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import type { Engine } from '#db/engine/engine.ts';
import { findLaunchedPod } from '#db/queries/pod-launches.ts';
import type { PodTokenRequest, PodTokenResult } from '#schema/context.ts';
import type { Logger } from '../log.ts';
import { createAttemptCounter } from './attempt-counter.ts';
import { podProblem, type TokenAnswer } from './pod-identity.ts';

/** Of the token that a Pod shows. */
export const POD_TOKEN_AUDIENCE = 'millrace';
const WINDOW_MS = 5 * 60_000;
/** Refusals. A whole cluster may come from one address, and what is right is never refused. */
const PER_ADDRESS = 300;
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Clusters that can be asked about tokens. */
export interface TokenReviewers {
  /** Null: there is no such cluster. */
  get(cluster: string): Promise<{ reviewToken(token: string, audiences: string[]): Promise<TokenAnswer> } | null>;
}

export interface PodExchangeDeps {
  db: Db;
  engine: Pick<Engine, 'redispatch'>;
  reviewers: TokenReviewers;
  log: Logger;
  now?(): number;
}

export type PodExchange = (request: PodTokenRequest, address: string) => Promise<PodTokenResult>;

export function createPodExchange({ db, engine, reviewers, log, now }: PodExchangeDeps): PodExchange {
  const refusals = createAttemptCounter(WINDOW_MS, now);

  return async ({ dispatchId, cluster, token }, address) => {
    const refuse = (reason: string): PodTokenResult => {
      log.warn({ dispatchId, cluster, address, reason }, 'the token of a Pod was refused');
      refusals.count(address);
      return 'refused';
    };
    if (refusals.of(address) >= PER_ADDRESS) return 'throttled';
    const key = parseDispatchId(dispatchId);
    if (!key) return refuse('this is no dispatch');
    if (!JWT.test(token)) return refuse('this is no token of a service account');
    const launch = await findLaunchedPod(db, key);
    if (!launch) return refuse('no Pod is expected for this dispatch');
    if (launch.cluster !== cluster) return refuse(`the dispatch was given to cluster ${launch.cluster}`);
    const answer = await review(cluster, token);
    if (answer === 'unavailable') return 'unavailable';
    const problem = answer === null ? 'there is no such cluster' : podProblem(launch, answer);
    if (problem !== null) return refuse(problem);
    const [dispatch] = await engine.redispatch([key]);
    if (dispatch) return dispatch;
    // No attempt: the Pod is ours, it only comes too late
    log.info({ dispatchId, cluster }, 'a Pod came for a dispatch that is no longer the current one');
    return 'refused';
  };

  async function review(cluster: string, token: string): Promise<TokenAnswer | null | 'unavailable'> {
    try {
      const reviewer = await reviewers.get(cluster);
      return reviewer && (await reviewer.reviewToken(token, [POD_TOKEN_AUDIENCE]));
    } catch (error) {
      log.error({ error, cluster }, 'the token of a Pod could not be checked with its cluster');
      return 'unavailable';
    }
  }
}
