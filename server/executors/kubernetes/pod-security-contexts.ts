/** The Pod Security Standards on security contexts, capabilities, ports and probes. Pure. */
import type { Found, Spec } from './pod-security.ts';

type Container = Spec['containers'][number];
type PodContext = NonNullable<Spec['securityContext']>;
type Context = NonNullable<Container['securityContext']>;

const BASELINE_CAPABILITIES = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]);
const SELINUX_TYPES = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']);
const PROFILES = new Set(['RuntimeDefault', 'Localhost']);

/** What a context of a Pod and one of a container have alike. */
function checkContext(path: string, context: PodContext | Context, found: Found): void {
  if (context.windowsOptions?.hostProcess)
    found(`${path}.windowsOptions.hostProcess`, 'A process must not belong to the node.');
  const { seLinuxOptions: selinux, seccompProfile: seccomp, appArmorProfile: appArmor } = context;
  if (selinux?.type !== undefined && !SELINUX_TYPES.has(selinux.type))
    found(`${path}.seLinuxOptions.type`, `'${selinux.type}' is not a type for containers.`);
  for (const field of ['user', 'role'] as const)
    if (selinux?.[field]) found(`${path}.seLinuxOptions.${field}`, 'It must not be set.');
  if (seccomp && !PROFILES.has(seccomp.type))
    found(`${path}.seccompProfile.type`, `'${seccomp.type}' must be RuntimeDefault or Localhost.`);
  if (appArmor && !PROFILES.has(appArmor.type))
    found(`${path}.appArmorProfile.type`, `'${appArmor.type}' must be RuntimeDefault or Localhost.`);
}

function checkBaselineContainer(path: string, container: Container, found: Found): void {
  const { securityContext: context, ports = [] } = container;
  if (context) checkContext(`${path}.securityContext`, context, found);
  if (context?.privileged) found(`${path}.securityContext.privileged`, 'A container must not be privileged.');
  if (context?.procMount !== undefined && context.procMount !== 'Default')
    found(`${path}.securityContext.procMount`, `'${context.procMount}' must be Default.`);
  for (const [index, capability] of (context?.capabilities?.add ?? []).entries())
    if (!BASELINE_CAPABILITIES.has(capability))
      found(`${path}.securityContext.capabilities.add[${index}]`, `'${capability}' must not be added.`);
  for (const [index, { hostPort }] of ports.entries())
    if (hostPort) found(`${path}.ports[${index}].hostPort`, 'A Pod must not take ports of its node.');
  for (const [at, { host }] of hostsOf(container))
    if (host) found(`${path}.${at}.host`, 'A probe or hook must not be sent elsewhere.');
}

export const baselineContainer = { context: checkContext, whole: checkBaselineContainer };

/** What a node asks on behalf of a container. */
function* hostsOf(container: Container): Generator<[path: string, action: { host?: string }]> {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  const asked = {
    livenessProbe,
    readinessProbe,
    startupProbe,
    'lifecycle.postStart': lifecycle?.postStart,
    'lifecycle.preStop': lifecycle?.preStop,
  };
  for (const [path, action] of Object.entries(asked))
    for (const kind of ['httpGet', 'tcpSocket'] as const) {
      const target = action?.[kind];
      if (target) yield [`${path}.${kind}`, target];
    }
}

const isWindows = (spec: Spec): boolean => spec.os?.name === 'windows';

export function restrictedPodContext({ securityContext: context }: Spec, found: Found): void {
  if (context?.runAsUser === 0) found('spec.securityContext.runAsUser', 'It must not be root.');
}

export function restrictedContainer(spec: Spec, path: string, container: Container, found: Found): void {
  const context = container.securityContext ?? {};
  const at = `${path}.securityContext`;
  if ((context.runAsNonRoot ?? spec.securityContext?.runAsNonRoot) !== true)
    found(
      context.runAsNonRoot === false || spec.securityContext?.runAsNonRoot === undefined
        ? `${at}.runAsNonRoot`
        : 'spec.securityContext.runAsNonRoot',
      'It must be true.',
    );
  if (context.runAsUser === 0) found(`${at}.runAsUser`, 'It must not be root.');
  if (isWindows(spec)) return;
  if (context.allowPrivilegeEscalation !== false) found(`${at}.allowPrivilegeEscalation`, 'It must be false.');
  if (!context.seccompProfile && !spec.securityContext?.seccompProfile)
    found(`${at}.seccompProfile`, 'It must be RuntimeDefault or Localhost.');
  const { add = [], drop = [] } = context.capabilities ?? {};
  if (!drop.includes('ALL')) found(`${at}.capabilities.drop`, `It must have 'ALL' in it.`);
  for (const [index, capability] of add.entries())
    if (capability !== 'NET_BIND_SERVICE')
      found(`${at}.capabilities.add[${index}]`, `'${capability}' must not be added; NET_BIND_SERVICE may be.`);
}
