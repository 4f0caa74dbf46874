/** What a look at a cluster comes to. */
import type { ClusterHealth } from '#db/queries/clusters.ts';
import { VaultError } from '#db/vault.ts';
import type { ClusterClient } from './cluster-client.ts';
import { CredentialsError } from './credentials.ts';
import { KubeError } from './kube-error.ts';
import {
  describeMissing,
  isUsable,
  REQUIRED_PERMISSIONS,
  resourceName,
  TOKEN_REVIEW_PERMISSION,
} from './permissions.ts';
import type { AccessAnswer } from './reviews.ts';

/** All there is to know: its version, and in each namespace what we may do there. Never rejects for what a cluster answers. */
export async function checkCluster(
  client: Pick<ClusterClient, 'version' | 'reviewAccess'>,
  namespaces: readonly string[],
): Promise<ClusterHealth> {
  try {
    const version = await client.version();
    const reviews = await Promise.all(
      namespaces.map(async (namespace) => ({
        namespace,
        answers: await client.reviewAccess(namespace, REQUIRED_PERMISSIONS),
      })),
    );
    const tokens = await client.reviewAccess('', [TOKEN_REVIEW_PERMISSION]);
    return { ...healthOfAccess(reviews, tokens), version };
  } catch (error) {
    return healthOfError(error);
  }
}

interface NamespaceAccess {
  namespace: string;
  answers: AccessAnswer[];
}

const MOST_SENTENCES = 3;

/** What is only for show may be missing. */
export function healthOfAccess(
  reviews: readonly NamespaceAccess[],
  tokens: readonly AccessAnswer[],
): Omit<ClusterHealth, 'version'> {
  const missing = reviews.flatMap(({ namespace, answers }) =>
    answers.filter(({ allowed }) => !allowed).map((answer) => `${answer.verb} ${resourceName(answer)} in ${namespace}`),
  );
  const missingTokens = tokens.filter(({ allowed }) => !allowed);
  const unusable = reviews.filter(({ answers }) => !isUsable(answers));
  const sentences = [...unusable, ...reviews.filter((review) => !unusable.includes(review))].flatMap((review) =>
    describeMissing(review.namespace, review.answers),
  );
  if (missingTokens.length > 0) sentences.push(`May not review tokens: ${TOKEN_REVIEW_PERMISSION.purpose}.`);
  return {
    state: unusable.length > 0 ? 'degraded' : 'ok',
    message: sentences.length === 0 ? null : shortened(sentences),
    missingPermissions: [...missing, ...missingTokens.map((answer) => `${answer.verb} ${resourceName(answer)}`)],
  };
}

function shortened(sentences: readonly string[]): string {
  const shown = sentences.slice(0, MOST_SENTENCES).join(' ');
  const more = sentences.length - MOST_SENTENCES;
  return more > 0 ? `${shown} And ${more} more ${more === 1 ? 'permission is' : 'permissions are'} missing.` : shown;
}

const unreachable = (message: string): ClusterHealth => ({
  state: 'unreachable',
  message,
  version: null,
  missingPermissions: [],
});

/** Throws what is no answer of a cluster, such as a programming error. */
export function healthOfError(error: unknown): ClusterHealth {
  if (error instanceof CredentialsError || error instanceof VaultError) return unreachable(error.message);
  if (isTlsError(error))
    return unreachable(`Its certificates or its key cannot be read: ${(error as Error).message}. Give them anew.`);
  if (!(error instanceof KubeError)) throw error;
  if (error.status === 401)
    return unreachable('It does not accept our credentials (401): they have expired or were revoked. Give new ones.');
  if (error.status === 0) return unreachable(error.message);
  return unreachable(`Its API answered ${error.status}: ${error.message}`);
}

/** OpenSSL’s own, such as of a certificate that was cut off. */
const isTlsError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^ERR_(OSSL|SSL|TLS|CRYPTO)_/.test(String(error.code));
