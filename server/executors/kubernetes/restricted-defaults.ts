/** What the restricted level of the Pod Security Standards asks for, where nobody said otherwise. Pure. */
import type { KubePod } from './kube-types.ts';

type Spec = NonNullable<KubePod['spec']>;
type Container = Spec['containers'][number];

/** Whom tasks run as when neither the task nor the cluster says. */
export const DEFAULT_USER = 10_001;

/** What somebody said stays as it is, and is checked later. */
export function withRestrictedDefaults(spec: Spec): Spec {
  // Windows has none of these
  if (spec.os?.name === 'windows') return spec;
  const given = spec.securityContext ?? {};
  const user = given.runAsUser ?? DEFAULT_USER;
  return {
    ...spec,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      // So that it may write to its volumes; without going through all of a large one each time
      ...(given.fsGroup === undefined && { fsGroup: user, fsGroupChangePolicy: 'OnRootMismatch' }),
      seccompProfile: { type: 'RuntimeDefault' },
      ...given,
    },
    containers: spec.containers.map(withDefaults),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(withDefaults) }),
  };
}

function withDefaults(container: Container): Container {
  const given = container.securityContext ?? {};
  return {
    ...container,
    securityContext: {
      allowPrivilegeEscalation: false,
      ...given,
      capabilities: { drop: ['ALL'], ...given.capabilities },
    },
  };
}
