/** What became of an attempt to create an object: decides what is waiting, what is refusal and what nobody knows. */
import { CredentialsError } from './credentials.ts';
import { KubeError } from './kube-error.ts';

export type WaitReason = 'quota' | 'throttled' | 'unavailable' | 'conflict';

export type CreateAnswer<T> =
  | { kind: 'created'; object: T }
  /** An object of this name is there. Whose it is, a look at its labels tells. */
  | { kind: 'exists' }
  /** Nothing was created, and later it may be. */
  | { kind: 'wait'; reason: WaitReason; message: string; retryAfterSeconds: number | null }
  /** The same object will never be taken. `path`: the field that was refused. */
  | { kind: 'rejected'; message: string; path?: string }
  /** It may have been created or not: the next look at the cluster decides. */
  | { kind: 'unknown'; message: string };

type Refusal = Exclude<CreateAnswer<never>, { kind: 'created' }>;

const QUOTA = /exceeded quota|status unknown for quota/;
const QUOTA_CONFLICT = /resourcequotas?\b/;
/** The default account is made by a controller a moment after its namespace. */
const ACCOUNT_COMES = /service ?account [^ ]*\bdefault"?|No API token found for service account/;
/** Answers 500 of admission, which comes before anything is stored. */
const BEFORE_STORAGE = /failed calling (admission )?webhook|No API token found for service account/;

const wait = (reason: WaitReason, { message, retryAfterSeconds }: KubeError): Refusal => ({
  kind: 'wait',
  reason,
  message,
  retryAfterSeconds,
});

function rejected(error: KubeError, explanation = ''): Refusal {
  const path = error.causes.find((cause) => cause.field !== '')?.field;
  return { kind: 'rejected', message: `${explanation}${error.message}`, ...(path === undefined ? {} : { path }) };
}

function explainForbidden(error: KubeError, namespace: string): string {
  if (error.causes.some((cause) => cause.reason === 'NamespaceTerminating') || /being terminated/.test(error.message))
    return `Namespace ${namespace} is being deleted. `;
  if (/cannot create resource/.test(error.message))
    return `The cluster's credentials may not create this in namespace ${namespace}: grant the verb "create". `;
  if (/failed quota/.test(error.message))
    return `Namespace ${namespace} has a quota that asks for resources to be stated. `;
  return '';
}

function classifyForbidden(error: KubeError, namespace: string): Refusal {
  if (QUOTA.test(error.message)) return wait('quota', error);
  if (/not found/.test(error.message) && ACCOUNT_COMES.test(error.message)) return wait('unavailable', error);
  return rejected(error, explainForbidden(error, namespace));
}

function classifyConflict(error: KubeError): Refusal {
  if (error.reason === 'AlreadyExists') return { kind: 'exists' };
  return wait(QUOTA_CONFLICT.test(error.message) ? 'quota' : 'conflict', error);
}

/** Refused credentials say nothing about the object: somebody will renew them. */
function classifyAnswer(error: KubeError, namespace: string): Refusal {
  switch (error.status) {
    case 401:
      return wait('unavailable', error);
    case 403:
      return classifyForbidden(error, namespace);
    case 404:
      return rejected(error, error.reason === 'KindUnknown' ? '' : `Namespace ${namespace} does not exist. `);
    case 409:
      return classifyConflict(error);
    case 429:
      return wait('throttled', error);
    default:
      return rejected(error);
  }
}

/** @throws what is no answer of an API, such as a programming error. */
export function classifyCreateError(error: unknown, namespace: string): Refusal {
  // A token that is not there yet, a login program that fails: nothing was sent, and somebody will mend it
  if (error instanceof CredentialsError)
    return { kind: 'wait', reason: 'unavailable', message: error.message, retryAfterSeconds: null };
  if (!(error instanceof KubeError)) throw error;
  if (error.neverSent) return wait('unavailable', error);
  if (error.status >= 400 && error.status < 500 && error.status !== 408) return classifyAnswer(error, namespace);
  if (error.status >= 500 && BEFORE_STORAGE.test(error.message)) return wait('unavailable', error);
  return { kind: 'unknown', message: error.message };
}
