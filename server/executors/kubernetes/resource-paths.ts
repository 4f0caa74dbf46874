/** Where the API keeps objects of a kind: known for the common ones, asked of the API for others and remembered. */
import type { KubeConnection } from './kube-connection.ts';
import { hasStatus, KubeError } from './kube-error.ts';

export interface ResourcePath {
  /** Without the name: `/apis/batch/v1/namespaces/default/jobs`. */
  path: string;
  /** As RBAC names it. */
  resource: string;
  group: string;
  namespaced: boolean;
}

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
}

/** A kind that was not there is asked for again: its definition may have been installed since. */
const ASK_AGAIN_MS = 10_000;
const KEEP_MS = 10 * 60_000;

export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '');
const rootOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

/** `group/version` or `version`, in the characters that Kubernetes allows. */
const API_VERSION = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?v[a-z0-9]+$/;
/** Also bounds what may come into a path from a manifest. */
export const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$/;

export function checkName(name: string, what: string): string {
  if (name.length <= 253 && OBJECT_NAME.test(name)) return name;
  throw new KubeError(`${JSON.stringify(name)} is not a ${what}: use lower case letters, digits, "-" and ".".`, {
    status: 422,
    reason: 'Invalid',
  });
}

export function createResourcePaths(
  connection: KubeConnection,
  turn: () => Promise<void>,
  now = () => performance.now(),
) {
  const known = new Map<string, { at: number; resources: Promise<ApiResource[]> }>();

  async function ask(apiVersion: string): Promise<ApiResource[]> {
    await turn();
    const request = { verb: 'get', resource: 'discovery', method: 'GET' as const, path: rootOf(apiVersion) };
    try {
      const { resources } = await connection.json<{ resources: ApiResource[] }>(request);
      return resources.filter(({ name }) => !name.includes('/'));
    } catch (error) {
      if (hasStatus(error, 404)) return [];
      throw error;
    }
  }

  function resourcesOf(apiVersion: string, maxAgeMs: number): Promise<ApiResource[]> {
    const entry = known.get(apiVersion);
    if (entry && now() - entry.at < maxAgeMs) return entry.resources;
    const resources = ask(apiVersion);
    known.set(apiVersion, { at: now(), resources });
    resources.catch(() => known.delete(apiVersion));
    return resources;
  }

  /** @throws KubeError with status 404 when the cluster does not know the kind. */
  return async function locate(apiVersion: string, kind: string, namespace: string): Promise<ResourcePath> {
    if (!API_VERSION.test(apiVersion))
      throw new KubeError(`apiVersion ${JSON.stringify(apiVersion)} must read as "v1" or "group/v1".`, { status: 400 });
    const matches = (resource: ApiResource) => resource.kind === kind;
    const found =
      (await resourcesOf(apiVersion, KEEP_MS)).find(matches) ??
      (await resourcesOf(apiVersion, ASK_AGAIN_MS)).find(matches);
    if (!found)
      throw new KubeError(
        `The cluster does not know ${kind} of ${apiVersion}: install its CustomResourceDefinition, or correct apiVersion and kind.`,
        { status: 404, reason: 'KindUnknown' },
      );
    const middle = found.namespaced ? `/namespaces/${checkName(namespace, 'namespace')}` : '';
    return {
      path: `${rootOf(apiVersion)}${middle}/${found.name}`,
      resource: found.name,
      group: groupOf(apiVersion),
      namespaced: found.namespaced,
    };
  };
}
