/** Which repositories the configuration lets be read. Pure. */
import type { GitProtocol } from './git-sources.ts';
import type { GitUrl } from './git-url.ts';

export interface GitPolicy {
  protocols: readonly GitProtocol[];
  /** Names or addresses, `*` for any characters; null: any but this machine and what is only within its network link. */
  hosts: readonly string[] | null;
}

export const GIT_POLICY: GitPolicy = { protocols: ['https', 'ssh'], hosts: null };

/** Why it may not be read; null when it may. */
export function gitPolicyProblem({ protocol, host }: GitUrl, policy: GitPolicy): string | null {
  if (!policy.protocols.includes(protocol))
    return `Git over ${protocol} is not allowed here; allowed: ${policy.protocols.join(', ')} (MILLRACE_GIT_PROTOCOLS).`;
  if (host !== null && policy.hosts && !isNamedHost(host, policy))
    return `The host ${host} is not among those allowed here: ${policy.hosts.join(', ')} (MILLRACE_GIT_HOSTS).`;
  return null;
}

/** Named by the configuration: then it may also be an address of this machine. */
export const isNamedHost = (host: string, { hosts }: GitPolicy): boolean =>
  hosts?.some((pattern) => asRegex(pattern).test(host)) ?? false;

const asRegex = (pattern: string) =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 'i');
