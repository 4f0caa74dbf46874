/** Git repositories that DAGs come from. */

export const GIT_ACCESS = ['none', 'password', 'ssh'] as const;
export type GitAccess = (typeof GIT_ACCESS)[number];

/** `ok`: what the repository holds is deployed. `failed`: it could not be read. `unknown`: not looked at since it was changed. */
export const GIT_STATES = ['ok', 'failed', 'unknown'] as const;
export type GitState = (typeof GIT_STATES)[number];

/** `http` and `file` only where the configuration allows them. */
export const GIT_PROTOCOLS = ['https', 'ssh', 'http', 'file'] as const;
export type GitProtocol = (typeof GIT_PROTOCOLS)[number];

/** Also a DNS label: names of sources stand in addresses of webhooks. */
export const GIT_SOURCE_NAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** How a repository is reached. Secret but for `none`. */
export type GitCredentials =
  | { kind: 'none' }
  | { kind: 'password'; username: string; password: string }
  /** `knownHosts`: lines of a known_hosts file: only these keys of the server are accepted. */
  | { kind: 'ssh'; privateKey: string; knownHosts: string };

export interface GitSourceSettings {
  description: string | null;
  url: string;
  /** Branch or tag; null: the default branch. */
  ref: string | null;
  /** Where the DAG files are, relative; empty: the whole repository. */
  folder: string;
  /** Between looks. */
  intervalSeconds: number;
  /** Its DAGs may ask of clusters what an administrator's may. */
  trusted: boolean;
  paused: boolean;
}

export const GIT_DEFAULTS: Omit<GitSourceSettings, 'url'> = {
  description: null,
  ref: null,
  folder: '',
  intervalSeconds: 60,
  trusted: false,
  paused: false,
};

/** What a source calls itself where DAGs say where they come from. */
export const gitOrigin = (name: string): string => `git:${name}`;

/** The commit that a version came with. */
export interface GitCommit {
  sha: string;
  author: string;
  message: string;
  at: Date;
}
