/** Questions to the API server about who may do what, and whose a token is. */
import type { KubeConnection } from './kube-connection.ts';
import type { Access } from './kube-types.ts';

export interface AccessAnswer extends Access {
  allowed: boolean;
  /** In the words of the API server; often empty. */
  reason: string;
}

export interface TokenAnswer {
  authenticated: boolean;
  username: string;
  /** The audiences of the token that were asked about. */
  audiences: string[];
  /** Null for tokens that belong to no Pod. */
  podName: string | null;
  podUid: string | null;
  /** Null unless the token is a service account's. */
  namespace: string | null;
  serviceAccount: string | null;
  error: string;
}

/** Whether we may do `access` in `namespace`. @throws KubeError */
export async function reviewOneAccess(
  connection: KubeConnection,
  namespace: string,
  access: Access,
): Promise<AccessAnswer> {
  const { verb, group, resource, subresource } = access;
  const review = await connection.json<{ status?: { allowed?: boolean; reason?: string } }>({
    verb: 'create',
    resource: 'selfsubjectaccessreviews',
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace, verb, group, resource, subresource } },
    },
  });
  return { ...access, allowed: review.status?.allowed === true, reason: review.status?.reason ?? '' };
}

interface TokenReview {
  status?: {
    authenticated?: boolean;
    audiences?: string[];
    error?: string;
    user?: { username?: string; extra?: { [key: string]: string[] } };
  };
}

const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Whose `token` is, by the cluster's own word. @throws KubeError */
export async function reviewToken(
  connection: KubeConnection,
  token: string,
  audiences: string[],
): Promise<TokenAnswer> {
  const { status = {} } = await connection.json<TokenReview>({
    verb: 'create',
    resource: 'tokenreviews',
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } },
  });
  const extra = (key: string) => status.user?.extra?.[`authentication.kubernetes.io/${key}`]?.[0] ?? null;
  const [, namespace = null, serviceAccount = null] = ACCOUNT.exec(status.user?.username ?? '') ?? [];
  const granted = status.audiences ?? [];
  return {
    // An API server that knows no audiences answers without them: such a token would be good for anything.
    authenticated: status.authenticated === true && audiences.some((audience) => granted.includes(audience)),
    username: status.user?.username ?? '',
    audiences: granted,
    podName: extra('pod-name'),
    podUid: extra('pod-uid'),
    namespace,
    serviceAccount,
    error: status.error ?? '',
  };
}
