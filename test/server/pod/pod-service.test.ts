import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createPodService } from '#server/pod/pod-service.ts';
import { ServiceRefusal } from '#server/worker/service-answer.ts';
import { sendJson, startHttpService, type SeenRequest } from '../../helpers/http-service.ts';

const service = await startHttpService();
const dir = mkdtempSync(join(tmpdir(), 'millrace-pod-service-'));
const tokenFile = join(dir, 'token');
afterAll(async () => {
  await service.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** As the API, which knows one token at a time. */
let good = '';
let given = 0;
let refuses = false;
beforeEach(() => {
  [good, given, refuses] = ['', 0, false];
  service.seen.length = 0;
});
const unauthenticated = { errors: [{ message: 'Not valid.', extensions: { code: 'UNAUTHENTICATED' } }] };
const isExchange = ({ body }: SeenRequest) => body.includes('exchangePodToken');
service.on('/graphql', (request, res) => {
  if (isExchange(request)) {
    if (refuses) return sendJson(res, unauthenticated);
    good = `runner-${++given}`;
    return sendJson(res, { data: { exchangePodToken: { dispatch: { dispatchId: 'd', token: good } } } });
  }
  const isGood = request.headers.authorization === `Bearer ${good}`;
  return isGood ? sendJson(res, { data: { heartbeat: { fenced: [] } } }) : sendJson(res, unauthenticated, 401);
});
const open = () => createPodService({ url: service.url, dispatchId: 'd', cluster: 'c', tokenFile });

describe('a Pod’s view of the service', () => {
  it('gets another token when its own is not accepted any more, with that of the kubelet as it is then', async () => {
    writeFileSync(tokenFile, 'first\n');
    const pod = open();
    await pod.exchange();
    expect(await pod.beat()).toBe(true);
    writeFileSync(tokenFile, 'second\n');
    good = 'of another key';
    expect(await Promise.all([pod.beat(), pod.beat()])).toEqual([true, true]);
    const shown = service.seen.filter(isExchange).map(({ body }) => JSON.parse(body).variables.input.token);
    expect(shown[0]).toBe('first');
    expect(new Set(shown.slice(1))).toEqual(new Set(['second']));
  });

  it('is refused when it gets none', async () => {
    const pod = open();
    await pod.exchange();
    [good, refuses] = ['of another key', true];
    await expect(pod.beat()).rejects.toThrow(ServiceRefusal);
  });
});
