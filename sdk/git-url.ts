/** What may stand as the address, the branch and the folder of a Git repository. Nothing of it can be taken for an option or a command. */
import { GIT_PROTOCOLS, type GitProtocol } from './git-sources.ts';

export interface GitUrl {
  protocol: GitProtocol;
  /** Null: a folder of this machine. */
  host: string | null;
  port: number | null;
  /** Named in the address, as in `git@host`. */
  user: string | null;
}

const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;
const IPV6 = /^\[[0-9a-f:.]+\]$/i;
const USER = /^[\w.][\w.-]*$/;
const DEFAULT_PORTS: { [protocol: string]: number } = { https: 443, http: 80, ssh: 22 };

/** A text says what is wrong with it. */
export function readGitUrl(text: string): GitUrl | string {
  if (text !== text.trim() || text === '' || text.length > 2_000) return 'Give the address of a repository.';
  if (/^[\w+.-]+::/.test(text)) return 'Addresses with :: have Git run a program, and are not allowed.';
  if (/[\s\\\p{Cc}]/u.test(text)) return 'An address has no spaces, backslashes and control characters.';
  if (text.startsWith('-')) return 'An address does not begin with -.';
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return readShort(text);
  if (!isProtocol(scheme)) return `Git over "${scheme}" is not supported: use https or ssh.`;
  return scheme === 'file' ? readFile(text) : readLong(text, scheme);
}

const isProtocol = (scheme: string): scheme is GitProtocol => (GIT_PROTOCOLS as readonly string[]).includes(scheme);

/** `git@host:path`, as ssh. */
function readShort(text: string): GitUrl | string {
  const [, user, host = '', path = ''] = /^(?:([^@:/]+)@)?([^@:/]+):([^:].*)$/.exec(text) ?? [];
  if (!HOST.test(host) || path.startsWith('-') || (user !== undefined && !USER.test(user)))
    return 'Give an address such as https://host/team/dags.git or git@host:team/dags.git.';
  return { protocol: 'ssh', host: host.toLowerCase(), port: null, user: user ?? null };
}

function readFile(text: string): GitUrl | string {
  const path = text.slice('file://'.length);
  if (!path.startsWith('/') || path.startsWith('//'))
    return 'A file address has an absolute path: file:///srv/dags.git.';
  return { protocol: 'file', host: null, port: null, user: null };
}

function readLong(text: string, protocol: GitProtocol): GitUrl | string {
  let url: URL;
  try {
    // Of the schemes, URL checks only those of browsers in full
    url = new URL(text.replace(/^ssh:/i, 'http:'));
  } catch {
    return 'It is no address: it should look like https://host/team/dags.git.';
  }
  // As it is written, since Git reads it so: URL turns 0x7f.1 into 127.0.0.1
  const written = /^[^:]+:\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^/:?#@]*)/.exec(text)?.[1] ?? '';
  if (!HOST.test(written) && !IPV6.test(written)) return 'It has no proper name of a host.';
  if (url.password !== '' || (protocol !== 'ssh' && url.username !== ''))
    return 'It holds credentials: leave them out of the address and give them as credentials.';
  if (url.username !== '' && !USER.test(url.username)) return 'It has no proper name of a user.';
  if (url.search !== '' || url.hash !== '') return 'An address of a repository has no ? and #.';
  if (url.pathname.length < 2 || url.pathname.startsWith('/-')) return 'It names no repository.';
  const port = /:(\d+)$/.exec(/^[^:]+:\/\/([^/]*)/.exec(text)?.[1] ?? '')?.[1];
  return {
    protocol,
    host: url.hostname.replace(/^\[|\]$/g, '').toLowerCase(),
    port: port === undefined ? (DEFAULT_PORTS[protocol] ?? null) : Number(port),
    user: url.username === '' ? null : url.username,
  };
}

/** What is wrong with the name of a branch or tag; null when nothing is. */
export function gitRefProblem(ref: string): string | null {
  if (ref === '' || ref.length > 250) return 'Give the name of a branch or tag.';
  if (ref.startsWith('-')) return 'A branch or tag does not begin with -.';
  const parts = ref.split('/');
  const isName = (part: string) => part !== '' && !part.startsWith('.') && !/\.(lock)?$/.test(part);
  if (!parts.every(isName) || /[\s~^:?*[\\\p{Cc}]|\.\.|@\{/u.test(ref) || ref === '@')
    return 'It is no name of a branch or tag.';
  return null;
}

/** What is wrong with a folder of a repository; null when nothing is. */
export function gitFolderProblem(folder: string): string | null {
  if (folder === '') return null;
  if (folder.length > 500 || /[\\\p{Cc}]/u.test(folder)) return 'It is no name of a folder.';
  const isName = (part: string) => part !== '' && part !== '.' && part !== '..' && part.toLowerCase() !== '.git';
  if (!folder.split('/').every(isName)) return 'Name a folder within the repository, such as dags or team/dags.';
  return null;
}
