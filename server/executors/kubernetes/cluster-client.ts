/** One Kubernetes cluster, spoken to with its own credentials, connections and pace. */
import type { V1LimitRange, V1ResourceQuota } from '@kubernetes/client-node';
import type { IncomingMessage } from 'node:http';
import { classifyCreateError, type CreateAnswer } from './create-answer.ts';
import type { ClusterCredentials } from './credentials.ts';
import { createKubeConnection, type KubeRequest, type OnRequest } from './kube-connection.ts';
import { hasStatus } from './kube-error.ts';
import type { Access, KubeEvent, KubeObject, KubePod, ObjectRef, Plain } from './kube-types.ts';
import { readPages, type ListOptions, type ListPage } from './list-pages.ts';
import { readLimits, readQuota, type NamespaceLimits, type NamespaceQuota } from './namespace-limits.ts';
import { createPace, createPlaces, type PaceLimits } from './pace.ts';
import { inOrder, readEvent, type ObjectEvent } from './pod-events.ts';
import { checkName, createResourcePaths } from './resource-paths.ts';
import { reviewOneAccess, reviewToken, type AccessAnswer, type TokenAnswer } from './reviews.ts';

export interface ClusterClientOptions {
  name: string;
  credentials: ClusterCredentials;
  limits: PaceLimits;
  userAgent: string;
  /** For one request; streams: until they begin. */
  timeoutMs?: number;
  onRequest?: OnRequest;
}

export interface DeleteOptions {
  /** Only the object with this uid: a successor of the same name stays. */
  uid?: string | null;
  /** 0 does not wait for the node to confirm. */
  graceSeconds?: number;
  /** True: it stays until what it owns is gone. */
  withDependents?: boolean;
  signal?: AbortSignal;
}
/** `gone`: there was none. `other`: the name belongs to an object with another uid. */
export type DeleteAnswer = 'deleted' | 'gone' | 'other';

export interface LogOptions {
  container: string;
  follow?: boolean;
  /** RFC 3339; whole seconds count. */
  sinceTime?: string | null;
  timestamps?: boolean;
  tailLines?: number;
  /** Of the run of the container before this one. */
  previous?: boolean;
  signal?: AbortSignal;
}

/** The objects of a kind in a namespace, as watches want them. */
export interface ObjectSource {
  /** `v1` and `Pod` for Pods. */
  apiVersion: string;
  kind: string;
  namespace: string;
  labelSelector?: string;
}
export interface WatchOptions {
  resourceVersion: string;
  /** After which the server ends the watch. */
  timeoutSeconds: number;
  signal?: AbortSignal;
}

export type ClusterClient = ReturnType<typeof createClusterClient>;

const POD = { apiVersion: 'v1', kind: 'Pod' } as const;
/** At the same time, beside creations, watches and logs: each has a connection. */
const MOST_REQUESTS = 32;

/** Methods throw KubeError (or CredentialsError) unless they say otherwise; creating never throws for what a cluster answers. */
export function createClusterClient(options: ClusterClientOptions) {
  const { name, credentials, userAgent, limits, timeoutMs = 30_000, onRequest = () => undefined } = options;
  const connection = createKubeConnection({ credentials, userAgent, timeoutMs, onRequest });
  const pace = createPace(limits);
  const places = createPlaces(MOST_REQUESTS);
  const locate = createResourcePaths(connection, () => pace.turn());

  async function ask<T>(request: KubeRequest): Promise<T> {
    const release = await places.take(request.signal);
    try {
      await pace.turn(request.signal);
      return await connection.json<T>(request);
    } finally {
      release();
    }
  }

  /** Where Pods are is known; discovery would only cost a request. */
  async function pathOf({ apiVersion, kind, namespace }: Omit<ObjectRef, 'name'>) {
    if (apiVersion === POD.apiVersion && kind === POD.kind)
      return { path: `/api/v1/namespaces/${checkName(namespace, 'namespace')}/pods`, resource: 'pods' };
    return locate(apiVersion, kind, namespace);
  }

  async function create<T extends KubeObject | KubePod>(body: T, namespace: string, signal?: AbortSignal) {
    const { apiVersion = '', kind = '' } = body;
    const release = await pace.createTurn(signal);
    try {
      const { path, resource } = await pathOf({ apiVersion, kind, namespace });
      const request = { verb: 'create', resource, method: 'POST' as const, path, body, signal };
      return { kind: 'created', object: await connection.json<T>(request) } as CreateAnswer<T>;
    } catch (error) {
      if (signal?.aborted) throw error;
      const answer = classifyCreateError(error, namespace);
      if (answer.kind === 'wait' && (answer.retryAfterSeconds !== null || answer.reason === 'throttled'))
        pace.pauseCreates(answer.retryAfterSeconds ?? 1);
      return answer as CreateAnswer<T>;
    } finally {
      release();
    }
  }

  async function get<T>(ref: ObjectRef, signal?: AbortSignal): Promise<T | null> {
    try {
      // Of a kind that is not known (any more) there is none
      const { path, resource } = await pathOf(ref);
      const at = `${path}/${checkName(ref.name, 'name')}`;
      return await ask<T>({ verb: 'get', resource, method: 'GET', path: at, signal });
    } catch (error) {
      if (hasStatus(error, 404)) return null;
      throw error;
    }
  }

  async function remove(
    ref: ObjectRef,
    { uid, graceSeconds, withDependents = false, signal }: DeleteOptions = {},
  ): Promise<DeleteAnswer> {
    const body = {
      ...(uid ? { preconditions: { uid } } : {}),
      ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
      propagationPolicy: withDependents ? 'Foreground' : 'Background',
    };
    try {
      // Of a kind that is not known (any more) there is none
      const { path, resource } = await pathOf(ref);
      const at = `${path}/${checkName(ref.name, 'name')}`;
      await ask({ verb: 'delete', resource, method: 'DELETE', path: at, body, signal });
      return 'deleted';
    } catch (error) {
      if (hasStatus(error, 404)) return 'gone';
      if (uid && hasStatus(error, 409)) return 'other';
      throw error;
    }
  }

  /** All objects, page by page, with the version they are consistent with. */
  async function list<T>(source: ObjectSource, more: ListOptions = {}): Promise<ListPage<T>> {
    const { path, resource } = await pathOf(source);
    const query = { labelSelector: source.labelSelector, fieldSelector: more.fieldSelector };
    return readPages<T>(
      (page) => ask({ verb: 'list', resource, method: 'GET', path, query: { ...query, ...page }, signal: more.signal }),
      more.pageSize,
    );
  }

  async function watch(source: ObjectSource, { resourceVersion, timeoutSeconds, signal }: WatchOptions) {
    const { path, resource } = await pathOf(source);
    await pace.turn(signal);
    const { labelSelector } = source;
    const query = { watch: 1, allowWatchBookmarks: true, labelSelector, resourceVersion, timeoutSeconds };
    return connection.stream({ verb: 'watch', resource, method: 'GET', path, query, signal });
  }

  const inCore = (resource: string, namespace: string) => ({
    verb: 'list',
    resource,
    method: 'GET' as const,
    path: `/api/v1/namespaces/${checkName(namespace, 'namespace')}/${resource}`,
  });
  const pod = (namespace: string, podName: string): ObjectRef => ({ ...POD, namespace, name: podName });

  return {
    name,
    createPod: (namespace: string, body: KubePod, signal?: AbortSignal): Promise<CreateAnswer<KubePod>> =>
      create<KubePod>({ ...body, ...POD }, namespace, signal),
    /** Null when there is none. */
    getPod: (namespace: string, podName: string, signal?: AbortSignal): Promise<KubePod | null> =>
      get<KubePod>(pod(namespace, podName), signal),
    deletePod: (namespace: string, podName: string, more?: DeleteOptions): Promise<DeleteAnswer> =>
      remove(pod(namespace, podName), more),
    listPods: (namespace: string, labelSelector?: string, more?: ListOptions): Promise<ListPage<KubePod>> =>
      list<KubePod>({ ...POD, namespace, labelSelector }, more),

    /** `namespace`: for kinds that live in one. */
    createObject: (body: KubeObject, namespace: string, signal?: AbortSignal): Promise<CreateAnswer<KubeObject>> =>
      create<KubeObject>(body, namespace, signal),
    getObject: (ref: ObjectRef, signal?: AbortSignal): Promise<KubeObject | null> => get<KubeObject>(ref, signal),
    /** What it owns goes too, in the background. */
    deleteObject: remove,
    list,
    /** Lines of JSON, one a change, with bookmarks; a server that has nothing to say is silent. */
    watch,

    /** What happened to the object, oldest first. */
    async listEvents(namespace: string, uid: string): Promise<ObjectEvent[]> {
      const query = { fieldSelector: `involvedObject.uid=${uid}`, limit: 200 };
      const { items } = await ask<{ items: KubeEvent[] }>({ ...inCore('events', namespace), query });
      return inOrder(items.map(readEvent));
    },
    /** Bytes as the container wrote them. @throws KubeError 400 while the container has not started. */
    async podLog(namespace: string, podName: string, { signal, ...query }: LogOptions): Promise<IncomingMessage> {
      const { path } = await pathOf({ ...POD, namespace });
      await pace.turn(signal);
      const at = `${path}/${checkName(podName, 'name')}/log`;
      return connection.stream({ verb: 'get', resource: 'pods/log', method: 'GET', path: at, query, signal });
    },
    async quotas(namespace: string): Promise<NamespaceQuota[]> {
      const { items } = await ask<{ items: Plain<V1ResourceQuota>[] }>(inCore('resourcequotas', namespace));
      return items.map(readQuota);
    },
    async limitRanges(namespace: string): Promise<NamespaceLimits[]> {
      const { items } = await ask<{ items: Plain<V1LimitRange>[] }>(inCore('limitranges', namespace));
      return items.map(readLimits);
    },
    /** Which of `accesses` we have in `namespace`, in their order. */
    async reviewAccess(namespace: string, accesses: readonly Access[]): Promise<AccessAnswer[]> {
      const review = async (access: Access) => {
        await pace.turn();
        return reviewOneAccess(connection, namespace, access);
      };
      return Promise.all(accesses.map(review));
    },
    async reviewToken(token: string, audiences: string[]): Promise<TokenAnswer> {
      await pace.turn();
      return reviewToken(connection, token, audiences);
    },
    /** Such as `v1.30.2`; also the cheapest sign of life. */
    async version(): Promise<string> {
      const request: KubeRequest = { verb: 'get', resource: 'version', method: 'GET', path: '/version' };
      return (await ask<{ gitVersion: string }>(request)).gitVersion;
    },
    /** Seconds for which the API server asked us to create nothing. */
    pausedFor: pace.pausedFor,
    /** Milliseconds that the cluster's clock is ahead of this one's, as far as it has answered. */
    clockOffset: connection.clockOffset,
    /** Ends requests, watches and followed logs under way. */
    close: connection.close,
  };
}
