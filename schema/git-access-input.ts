/** How a Git repository is reached, as people write it. */
import type { GitCredentials } from '#sdk/git-sources.ts';
import { gitPolicyProblem, type GitPolicy } from '#sdk/git-policy.ts';
import type { GitUrl } from '#sdk/git-url.ts';
import { builder } from './builder.ts';
import { storableText } from './storable-text.ts';
import type { ValidationIssue } from './validation-error.ts';

const MOST_SECRET = 65_536;

export const GitAccessInput = builder.inputType('GitAccessInput', {
  description:
    'How a repository is reached: `password`, or `privateKey` with `knownHosts`; with none of them anybody may read it. Stored encrypted, and never shown again.',
  fields: (t) => ({
    username: t.string({
      description: 'Goes with `password`. Default: `git`, which servers take that look at the token alone.',
      validate: storableText(500),
    }),
    password: t.string({ description: 'Or a token, for https.', validate: storableText(MOST_SECRET) }),
    privateKey: t.string({ description: 'For ssh, without a passphrase.', validate: storableText(MOST_SECRET) }),
    knownHosts: t.string({
      description: 'Lines of a known_hosts file, as `ssh-keyscan <host>` prints them. No other host key is accepted.',
      validate: storableText(MOST_SECRET),
    }),
  }),
});

/** `url` as readGitUrl gives it. */
export const urlProblem = (url: GitUrl | string, policy: GitPolicy): string | null =>
  typeof url === 'string' ? url : gitPolicyProblem(url, policy);

/** Undefined: `issues` say why. Without a usable address only what is wrong in itself is told. */
export function readGitAccess(
  given: typeof GitAccessInput.$inferInput,
  url: GitUrl | undefined,
  issues: ValidationIssue[],
): GitCredentials | undefined {
  const { username, password, privateKey, knownHosts } = given;
  const report = (field: string | null, message: string): undefined => {
    issues.push({ path: ['input', 'access', ...(field === null ? [] : [field])], message });
    return undefined;
  };
  if (password && privateKey) return report(null, 'Give a password or a private key, not both.');
  if (url?.protocol === 'ssh' && !privateKey)
    return report('privateKey', 'An address over ssh needs a private key, and knownHosts.');
  if (privateKey) {
    if (url && url.protocol !== 'ssh') return report('privateKey', 'A private key is for addresses over ssh.');
    const problem = keyProblem(privateKey);
    if (problem !== null) return report('privateKey', problem);
    if (!knownHosts?.trim())
      return report('knownHosts', 'A private key needs the host keys of the server: "ssh-keyscan <host>" prints them.');
    return { kind: 'ssh', privateKey, knownHosts };
  }
  if (!password) return username ? report('password', 'A username needs a password or token.') : { kind: 'none' };
  if (url?.protocol === 'file') return report('password', 'A folder of this machine takes no password.');
  if (/[\r\n]/.test(password + (username ?? ''))) return report('password', 'A username and a password have one line.');
  return { kind: 'password', username: username || 'git', password };
}

function keyProblem(key: string): string | null {
  const [, kind, body = ''] = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----([^]+?)-----END/.exec(key) ?? [];
  if (kind === undefined) return 'It is no private key: it has no line BEGIN … PRIVATE KEY.';
  // The OpenSSH format names what protects it in the clear
  const isLocked =
    /ENCRYPTED/.test(key) ||
    (kind === 'OPENSSH PRIVATE KEY' && Buffer.from(body, 'base64').subarray(0, 60).includes('bcrypt'));
  return isLocked
    ? 'It has a passphrase, which nobody could type in: make a key of its own for Millrace, without one.'
    : null;
}
