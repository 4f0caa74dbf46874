/** What an HTTP answer says: whether it is the expected one, what its result is, where the next page lies. */
import { isDeepStrictEqual } from 'node:util';
import { parseJsonPath, valueAt } from '#sdk/json-path.ts';
import type { HttpExpectation, HttpPagination, HttpResult, JsonExpectation } from '#sdk/operator-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { matchesStatus } from './http-retry.ts';

export interface Answer {
  status: number;
  headers: { readonly [name: string]: string };
  body: Buffer;
}

/** The answer is not what the task needs. */
export class AnswerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AnswerError';
  }
}

/** Its JSON, parsed once. */
export interface ReadAnswer extends Answer {
  json(): Json;
  text(): string;
  /** A part of it as a message may show it: not too long, and without secrets. */
  shorten(text: string): string;
}

export function readAnswer(answer: Answer, shorten: ReadAnswer['shorten']): ReadAnswer {
  let parsed: { value: Json } | undefined;
  const text = () => decoded(answer);
  return {
    ...answer,
    text,
    shorten,
    json() {
      parsed ??= { value: parse(text(), answer, shorten) };
      return parsed.value;
    },
  };
}

function decoded({ headers, body }: Answer): string {
  const charset = /charset\s*=\s*"?([\w.:-]+)/i.exec(headers['content-type'] ?? '')?.[1];
  try {
    return new TextDecoder(charset ?? 'utf-8').decode(body);
  } catch {
    return body.toString('utf8');
  }
}

function parse(text: string, { headers }: Answer, shorten: ReadAnswer['shorten']): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const type = headers['content-type'] ? ` (it is ${headers['content-type']})` : '';
    throw new AnswerError(
      `The answer is not JSON${type}: ${withoutExcerpt((error as Error).message)}. It begins: ${shorten(text)}`,
    );
  }
}

/** A parser shows some letters around the place, which may be half of a secret. */
const withoutExcerpt = (message: string): string =>
  message.replace(/, (?:\.{3})?"[^]*"(?:\.{3})? is not valid JSON$/, '');

/** Throws what is not as expected. */
export function checkAnswer(answer: ReadAnswer, expect: HttpExpectation): void {
  if (!matchesStatus(answer.status, expect.status))
    throw new AnswerError(
      `The answer has status ${answer.status}, not ${expect.status.join(' or ')}${bodyHint(answer)}`,
    );
  if (expect.bodyMatches !== null && !regexOf(expect.bodyMatches, 'expect.bodyMatches').test(answer.text()))
    throw new AnswerError(`The body does not match /${expect.bodyMatches}/${bodyHint(answer)}`);
  for (const [path, expected] of Object.entries(expect.json)) checkValue(answer, path, expected);
}

function bodyHint(answer: ReadAnswer): string {
  const text = answer.text().trim();
  return text === '' ? '.' : `: ${answer.shorten(text)}`;
}

function checkValue({ json, shorten }: ReadAnswer, path: string, expected: JsonExpectation): void {
  const found = lookUp(json(), path);
  const shown = found === undefined ? 'nothing' : shorten(JSON.stringify(found));
  if ('exists' in expected) {
    if ((found !== undefined) !== expected.exists)
      throw new AnswerError(`${path} is ${expected.exists ? 'missing' : `there: ${shown}`}.`);
  } else if ('equals' in expected) {
    if (!isDeepStrictEqual(found, expected.equals))
      throw new AnswerError(`${path} is ${shown}, not ${shorten(JSON.stringify(expected.equals))}.`);
  } else {
    const text = typeof found === 'string' ? found : JSON.stringify(found);
    if (found === undefined || !regexOf(expected.matches, `expect.json.${path}`).test(text))
      throw new AnswerError(`${path} is ${shown}, which does not match /${expected.matches}/.`);
  }
}

function regexOf(source: string, field: string): RegExp {
  try {
    return new RegExp(source, 'su');
  } catch (error) {
    throw new AnswerError(`${field}: ${(error as Error).message}`);
  }
}

function lookUp(json: Json, path: string): Json | undefined {
  const parsed = parseJsonPath(path);
  if (typeof parsed === 'string') throw new AnswerError(`${path} is not a path. ${parsed}`);
  return valueAt(json, parsed);
}

const saysJson = (answer: Answer) => /[/+]json\b/i.test(answer.headers['content-type'] ?? '');

export function resultOf(answer: ReadAnswer, result: HttpResult): Json {
  if (typeof result === 'object') {
    const found = lookUp(answer.json(), result.path);
    if (found === undefined) throw new AnswerError(`There is nothing at ${result.path} in the answer.`);
    return found;
  }
  switch (result) {
    case 'none':
      return null;
    case 'status':
      return answer.status;
    case 'headers':
      return { ...answer.headers };
    case 'text':
      return answer.text();
    case 'json':
      return answer.body.length === 0 ? null : answer.json();
    case 'auto':
      return answer.body.length === 0 ? null : saysJson(answer) ? answer.json() : answer.text();
  }
}

/** The items of one page. */
export function itemsOf(answer: ReadAnswer, { items }: HttpPagination): Json[] {
  const found = lookUp(answer.json(), items);
  if (!Array.isArray(found)) throw new AnswerError(`There is no list at ${items} in the answer.`);
  return found;
}

/**
 * Where the page after that of `url` is; null: this was the last. One with another origin than the task's own address `first` is an
 * error, also where a redirect led there: it would get the task's credentials.
 */
export function nextPage(answer: ReadAnswer, pagination: HttpPagination, url: URL, first: URL): URL | null {
  const next = pageAfter(answer, pagination, url);
  if (next && next.origin !== first.origin)
    throw new AnswerError(
      `The next page lies on another host (${next.origin}, not ${first.origin}); it is not asked for, because it would get the task's credentials. Set the task's address to where the pages are.`,
    );
  return next;
}

function pageAfter(answer: ReadAnswer, pagination: HttpPagination, url: URL): URL | null {
  if (pagination.by === 'link') {
    const target = nextLink(answer.headers['link']);
    if (target === null) return null;
    if (!URL.canParse(target, url)) throw new AnswerError('The link to the next page is not an address.');
    return new URL(target, url);
  }
  const cursor = lookUp(answer.json(), pagination.cursor);
  if (cursor === undefined || cursor === null || cursor === '' || cursor === false) return null;
  const next = new URL(url);
  next.searchParams.set(pagination.parameter, typeof cursor === 'string' ? cursor : JSON.stringify(cursor));
  return next;
}

function nextLink(header: string | undefined): string | null {
  for (const [, target = '', parameters = ''] of (header ?? '').matchAll(/<([^>]*)>((?:\s*;\s*[^,;]+)*)/g))
    if (/;\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(;|$)/i.test(parameters)) return target;
  return null;
}
