import { describe, expect, it } from 'vitest';
import { classifyCreateError } from '#server/executors/kubernetes/create-answer.ts';
import { CredentialsError } from '#server/executors/kubernetes/credentials.ts';
import { errorOfAnswer, KubeError, readRetryAfter } from '#server/executors/kubernetes/kube-error.ts';

interface Said {
  status: number;
  reason?: string;
  message: string;
  details?: object;
  headers?: { [name: string]: string };
}
const answer = ({ status, headers = {}, ...body }: Said) =>
  classifyCreateError(errorOfAnswer(status, headers, JSON.stringify({ kind: 'Status', ...body })), 'tasks');

const WAITING: [string, Said, string][] = [
  [
    'quota',
    {
      status: 403,
      reason: 'Forbidden',
      message: 'pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4',
    },
    'quota',
  ],
  [
    'quota that is not computed yet',
    { status: 403, message: 'pods "p" is forbidden: status unknown for quota: q, resources: pods' },
    'quota',
  ],
  [
    'conflict on a quota',
    {
      status: 409,
      reason: 'Conflict',
      message: 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified',
    },
    'quota',
  ],
  [
    'other conflict',
    { status: 409, reason: 'Conflict', message: 'Operation cannot be fulfilled on pods "p"' },
    'conflict',
  ],
  ['throttled', { status: 429, reason: 'TooManyRequests', message: 'too many requests' }, 'throttled'],
  ['credentials refused', { status: 401, reason: 'Unauthorized', message: 'Unauthorized' }, 'unavailable'],
  [
    'service account of a new namespace',
    {
      status: 403,
      message:
        'pods "p" is forbidden: error looking up service account tasks/default: serviceaccount "default" not found',
    },
    'unavailable',
  ],
  [
    'webhook that is away',
    { status: 500, reason: 'InternalError', message: 'Internal error occurred: failed calling webhook "x": timeout' },
    'unavailable',
  ],
];

const REJECTED: [string, Said, object][] = [
  [
    'Pod security',
    { status: 403, message: 'pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true' },
    { message: expect.stringContaining('violates PodSecurity') },
  ],
  [
    'webhook that denies',
    { status: 400, message: 'admission webhook "policy.example" denied the request: no images of this registry' },
    { message: 'admission webhook "policy.example" denied the request: no images of this registry' },
  ],
  [
    'limit range',
    { status: 403, message: 'pods "p" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi' },
    {},
  ],
  [
    'quota that needs requests',
    { status: 403, message: 'pods "p" is forbidden: failed quota: q: must specify limits.cpu' },
    { message: expect.stringMatching(/^Namespace tasks has a quota that asks for resources to be stated\. /) },
  ],
  [
    'service account that is not there',
    { status: 403, message: 'error looking up service account tasks/etl: serviceaccount "etl" not found' },
    {},
  ],
  [
    'no permission',
    { status: 403, message: 'pods is forbidden: User "u" cannot create resource "pods" in API group ""' },
    { message: expect.stringContaining('grant the verb "create"') },
  ],
  [
    'namespace being deleted',
    {
      status: 403,
      message: 'unable to create new content in namespace tasks because it is being terminated',
      details: {
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: 'namespace tasks is being terminated',
            field: 'metadata.namespace',
          },
        ],
      },
    },
    { message: expect.stringMatching(/^Namespace tasks is being deleted\. /), path: 'metadata.namespace' },
  ],
  [
    'namespace that is not there',
    { status: 404, reason: 'NotFound', message: 'namespaces "tasks" not found' },
    { message: 'Namespace tasks does not exist. namespaces "tasks" not found' },
  ],
  [
    'field',
    {
      status: 422,
      reason: 'Invalid',
      message: 'Pod "p" is invalid: spec.containers[0].image: Required value',
      details: {
        causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.containers[0].image' }],
      },
    },
    { path: 'spec.containers[0].image' },
  ],
  ['too large', { status: 413, message: 'Request entity too large' }, {}],
];

describe('the answer to a creation', () => {
  it.each(WAITING)('waits: %s', (_name, said, reason) => {
    expect(answer(said)).toEqual({ kind: 'wait', reason, message: said.message, retryAfterSeconds: null });
  });

  it.each(REJECTED)('is a refusal: %s', (_name, said, more) => {
    expect(answer(said)).toMatchObject({ kind: 'rejected', message: expect.stringContaining(said.message), ...more });
  });

  it('is that it is there', () => {
    expect(answer({ status: 409, reason: 'AlreadyExists', message: 'pods "p" already exists' })).toEqual({
      kind: 'exists',
    });
  });

  it.each([500, 502, 503, 504])('is not known after %s', (status) => {
    expect(answer({ status, message: 'etcdserver: request timed out' })).toEqual({
      kind: 'unknown',
      message: 'etcdserver: request timed out',
    });
  });

  it('depends on whether it was sent when there was none', () => {
    const lost = new KubeError('no answer', { status: 0 });
    expect(classifyCreateError(lost, 'tasks')).toEqual({ kind: 'unknown', message: 'no answer' });
    const unsent = new KubeError('refused', { status: 0, neverSent: true });
    expect(classifyCreateError(unsent, 'tasks')).toMatchObject({ kind: 'wait', reason: 'unavailable' });
    const unusable = new CredentialsError('there is no token');
    expect(classifyCreateError(unusable, 'tasks')).toMatchObject({ kind: 'wait', reason: 'unavailable' });
    expect(() => classifyCreateError(new TypeError('a bug'), 'tasks')).toThrow('a bug');
  });

  it('says when to come back, from the header or the body', () => {
    expect(answer({ status: 429, message: 'later', headers: { 'retry-after': '7' } })).toMatchObject({
      retryAfterSeconds: 7,
    });
    expect(answer({ status: 429, message: 'later', details: { retryAfterSeconds: 3 } })).toMatchObject({
      retryAfterSeconds: 3,
    });
    const now = Date.parse('2026-03-01T10:00:00Z');
    expect(readRetryAfter('Sun, 01 Mar 2026 10:00:30 GMT', now)).toBe(30);
    expect(readRetryAfter('soon', now)).toBeNull();
    expect(readRetryAfter('-5', now)).toBe(0);
  });

  it('may come from something else than an API server', () => {
    expect(errorOfAnswer(502, {}, '<html>Bad gateway</html>').message).toBe('<html>Bad gateway</html>');
    expect(errorOfAnswer(502, {}, '').message).toBe('The API server answered 502 without a word.');
    expect(errorOfAnswer(500, {}, '"text"').message).toBe('"text"');
  });
});
