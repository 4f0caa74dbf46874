import type { HttpTaskSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { connectionOf } from './connection-of.ts';
import { absoluteUrl, addQuery, baseOf, belowBase, connectionHeaders, lowerCased } from './http-target.ts';
import type { HttpLaunch, Prepare, Render } from './launch.ts';
import { renderAll } from './render-all.ts';

const HTTP_KINDS = ['http', 'https', 'webhook', 'generic'];

const renderTexts = (render: Render, field: string, texts: { [name: string]: string }): { [name: string]: string } =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, render(`${field}.${name}`, text)]));

export const prepareHttp: Prepare<'http'> = (task, dispatch, render) => {
  const connection = task.connection === null ? null : connectionOf(dispatch, task.connection, HTTP_KINDS);
  const base = connection ? baseOf(connection) : null;
  const url = base
    ? belowBase(base, render('path', task.path ?? ''))
    : absoluteUrl(render('url', task.url ?? '').trim());
  addQuery(url, renderAll(render, 'query', task.query) as { [name: string]: Json });
  const { body, type } = bodyOf(task, render);
  const launch: HttpLaunch = {
    kind: 'http',
    method: task.method,
    url: url.href,
    connection,
    headers: {
      ...(type !== null && { 'content-type': type }),
      ...(connection ? connectionHeaders(connection) : {}),
      ...lowerCased(renderTexts(render, 'headers', task.headers)),
    },
    body,
    timeout: task.timeout,
    requestRetries: task.requestRetries,
    requestRetryDelay: task.requestRetryDelay,
    retryOn: task.retryOn,
    retryUnsafe: task.retryUnsafe,
    maxRedirects: task.maxRedirects,
    verifyTls: task.verifyTls,
    expect: {
      status: task.expect.status,
      json: renderAll(render, 'expect.json', task.expect.json as unknown as Json) as typeof task.expect.json,
      bodyMatches: task.expect.bodyMatches === null ? null : render('expect.bodyMatches', task.expect.bodyMatches),
    },
    result: task.result,
    pagination: task.pagination,
  };
  return { how: 'operator', operator: launch };
};

function bodyOf(task: HttpTaskSpec, render: Render): { body: string | null; type: string | null } {
  if (task.json !== null)
    return { body: JSON.stringify(renderAll(render, 'json', task.json)), type: 'application/json' };
  if (task.form !== null)
    return {
      body: new URLSearchParams(renderTexts(render, 'form', task.form)).toString(),
      type: 'application/x-www-form-urlencoded',
    };
  return { body: task.body === null ? null : render('body', task.body), type: null };
}
