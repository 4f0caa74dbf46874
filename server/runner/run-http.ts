/** Runs an http task: the request, its further attempts, the check of the answer, further pages. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AnswerError, checkAnswer, itemsOf, nextPage, readAnswer, resultOf } from '../operators/http-result.ts';
import { nextAttemptIn, type Attempt } from '../operators/http-retry.ts';
import { connectionHeaders, tlsOf, withoutSecrets } from '../operators/http-target.ts';
import type { HttpLaunch } from '../operators/launch.ts';
import type { Json } from '#sdk/protocol.ts';
import { exchange, NoAnswerError, type ExchangeLimits, type HttpAnswer } from './http-exchange.ts';
import { MAX_RESULT_BYTES, OperatorFailure, type OperatorHost } from './operator-host.ts';

/** Characters of what an answer holds, in a message. */
const MOST_SHOWN = 200;

export async function runHttp(launch: HttpLaunch, host: OperatorHost): Promise<Json> {
  const limits = limitsOf(launch, host.signal);
  const address = new URL(launch.url);
  const first = await answered(address, launch, host, limits);
  const { pagination } = launch;
  if (!pagination) return resultOfAnswer(first, () => resultOf(checked(first, launch, host), launch.result));
  const items: Json[] = [];
  let bytes = 0;
  let answer = first;
  for (let page = 1; ; page++) {
    const { found, next } = resultOfAnswer(answer, () => {
      const read = checked(answer, launch, host);
      return { found: itemsOf(read, pagination), next: nextPage(read, pagination, answer.url, address) };
    });
    for (const item of found) items.push(item);
    bytes += answer.body.length;
    if (bytes > MAX_RESULT_BYTES)
      throw new OperatorFailure('result_invalid', `After ${page} pages there are more than 64 MiB.`, {
        retryable: false,
      });
    if (next === null) break;
    if (page >= pagination.maxPages)
      throw new OperatorFailure('unexpected_answer', `There are more than ${pagination.maxPages} pages (maxPages).`, {
        retryable: false,
      });
    answer = await answered(next, launch, host, limits);
  }
  host.say(`${items.length} items in all.`);
  return items;
}

function checked(answer: HttpAnswer, launch: HttpLaunch, { mask }: OperatorHost) {
  const read = readAnswer(answer, (text) => mask.shorten(text, MOST_SHOWN));
  checkAnswer(read, launch.expect);
  return read;
}

function resultOfAnswer<T>(answer: HttpAnswer, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error;
    throw new OperatorFailure('unexpected_answer', error.message, {
      cause: error,
      evidence: { status: answer.status, url: withoutSecrets(answer.url) },
    });
  }
}

function limitsOf({ connection, verifyTls, timeout, maxRedirects }: HttpLaunch, signal: AbortSignal): ExchangeLimits {
  return {
    signal,
    timeoutMs: timeout * 1000,
    maxBytes: MAX_RESULT_BYTES,
    maxRedirects,
    tls: tlsOf(connection, verifyTls),
  };
}

/** Sends it until there is an answer that is no reason to try again, or no attempt is left. */
async function answered(url: URL, launch: HttpLaunch, host: OperatorHost, limits: ExchangeLimits): Promise<HttpAnswer> {
  const { method, headers, body } = launch;
  const secret = new Set(launch.connection ? Object.keys(connectionHeaders(launch.connection)) : []);
  for (let number = 1; ; number++) {
    host.say(`${method} ${withoutSecrets(url)}${body === null ? '' : ` with ${Buffer.byteLength(body)} bytes`}`);
    const started = performance.now();
    const outcome = await exchange({ method, url, headers, body }, limits, secret).catch((error: unknown) => {
      if (error instanceof NoAnswerError) return error;
      throw error;
    });
    host.say(`→ ${told(outcome)} (${Math.round(performance.now() - started)} ms)`);
    const wait = nextAttemptIn(attemptOf(number, outcome), launch, new Date(), Math.random());
    if (wait !== null) {
      host.say(`Attempt ${number} of ${launch.requestRetries + 1}; the next one in ${(wait / 1000).toFixed(1)} s.`);
      await sleep(wait, undefined, { signal: host.signal });
    } else if (outcome instanceof NoAnswerError) throw noAnswer(outcome, url, method, number);
    else return outcome;
  }
}

const attemptOf = (number: number, outcome: HttpAnswer | NoAnswerError): Attempt =>
  outcome instanceof NoAnswerError
    ? { number, answer: null, neverSent: outcome.neverSent, final: outcome.final }
    : {
        number,
        answer: { status: outcome.status, retryAfter: outcome.headers['retry-after'] },
        neverSent: false,
        final: false,
      };

function told(outcome: HttpAnswer | NoAnswerError): string {
  if (outcome instanceof NoAnswerError) return outcome.message;
  const type = outcome.headers['content-type'];
  const from = outcome.redirects > 0 ? `, redirected to ${withoutSecrets(outcome.url)}` : '';
  return `${outcome.status}, ${outcome.body.length} bytes${type ? ` of ${type}` : ''}${from}`;
}

function noAnswer(error: NoAnswerError, url: URL, method: string, attempts: number): OperatorFailure {
  const address = withoutSecrets(url);
  const times = attempts > 1 ? ` after ${attempts} attempts` : '';
  return new OperatorFailure('request_failed', `${method} ${address}${times}: ${error.message}`, {
    retryable: !error.final,
    evidence: { url: address, attempts },
    cause: error,
  });
}
