/** Where a host is, and that it is no place a repository may not be read from. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { isNamedHost, type GitPolicy } from '#sdk/git-policy.ts';
import { GitProblem } from './git-problem.ts';

/** This machine, what is only within its link (where clouds answer with the credentials of machines), and what is no host. */
const REFUSED = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  REFUSED.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 128],
  ['::1', 128],
  ['fe80::', 10],
  ['fd00:ec2::254', 128],
  ['ff00::', 8],
  ['64:ff9b::', 96],
] as const)
  REFUSED.addSubnet(network, bits, 'ipv6');

export const isRefusedAddress = (address: string): boolean =>
  REFUSED.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Its addresses, for Git to use these and no other; null: only a proxy can find it. */
export async function findAddresses(host: string, policy: GitPolicy, hasProxy: boolean): Promise<string[] | null> {
  const found = await lookup(host, { all: true }).catch((cause: Error) => {
    if (hasProxy) return null;
    throw new GitProblem(`The host ${host} cannot be found: is its name right?`, { cause });
  });
  if (found === null) return null;
  const addresses = found.map(({ address }) => address);
  const refused = isNamedHost(host, policy) ? undefined : addresses.find(isRefusedAddress);
  if (refused !== undefined)
    throw new GitProblem(
      `The host ${host} is ${refused}, an address of the scheduler's own machine or link. If it is meant, name it in MILLRACE_GIT_HOSTS.`,
    );
  return addresses;
}
