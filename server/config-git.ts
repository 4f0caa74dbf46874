/** Which Git repositories DAGs may come from. */
import type { z } from 'zod';
import { GIT_POLICY, type GitPolicy } from '#sdk/git-policy.ts';
import { bytes, gitProtocols, hostPatterns } from './config-values.ts';

export const GIT_VARIABLES = {
  MILLRACE_GIT_PROTOCOLS: {
    schema: gitProtocols,
    about:
      'Ways to reach [Git sources](deploying.md#git) that are allowed, of https, ssh, http and file, with commas between them. `http` sends credentials in the clear, `file` reads folders of the scheduler.',
    fallback: '`https,ssh`',
  },
  MILLRACE_GIT_HOSTS: {
    schema: hostPatterns,
    about:
      'Hosts that Git sources may be on, with commas between them, `*` for any characters. Only a host named here may be an address of the scheduler’s own machine.',
    fallback: 'any but the machine itself and link-local addresses',
  },
  MILLRACE_GIT_MAX_SIZE: {
    schema: bytes,
    about: 'Largest size of a commit of a Git source, packed and unpacked each.',
    fallback: '`256Mi`',
  },
};

type Values = { [K in keyof typeof GIT_VARIABLES]?: z.output<(typeof GIT_VARIABLES)[K]['schema']> | undefined };

export interface GitConfig {
  policy: GitPolicy;
  maxBytes: number;
}

export const gitConfig = (values: Values): GitConfig => ({
  policy: {
    protocols: values.MILLRACE_GIT_PROTOCOLS ?? GIT_POLICY.protocols,
    hosts: values.MILLRACE_GIT_HOSTS ?? GIT_POLICY.hosts,
  },
  maxBytes: values.MILLRACE_GIT_MAX_SIZE ?? 256 * 2 ** 20,
});
