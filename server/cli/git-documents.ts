/** What the commands of Git sources ask. */
import { FAILURE } from './outcome.ts';

const SUMMARY = /* GraphQL */ `
  fragment GitSourceSummary on GitSource {
    name
    description
    url
    ref
    folder
    access
    username
    hasWebhook
    intervalSeconds
    trusted
    paused
    state
    message
    since
    looking
    lookedAt
    nextLookAt
    commit {
      sha
      author
      message
      at
    }
    deployedAt
    durationMs
    files
    failedFiles
    dagIds
    importErrors {
      path
      message
      at
    }
  }
`;

export const LIST = /* GraphQL */ `
  query GitSources {
    gitSources {
      ...GitSourceSummary
    }
  }
  ${SUMMARY}
`;

export const SHOW = /* GraphQL */ `
  query GitSource($name: String!) {
    gitSource(name: $name) {
      ...GitSourceSummary
    }
  }
  ${SUMMARY}
`;

export const CHANGES = /* GraphQL */ `
  subscription GitSourceChanges {
    gitSourceChanges {
      gitSources {
        ...GitSourceSummary
      }
    }
  }
  ${SUMMARY}
`;

export const CREATE = /* GraphQL */ `
  mutation CreateGitSource($input: CreateGitSourceInput!) {
    createGitSource(input: $input) {
      ...Failure
      ... on MutationCreateGitSourceSuccess {
        data {
          ...GitSourceSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const UPDATE = /* GraphQL */ `
  mutation UpdateGitSource($input: UpdateGitSourceInput!) {
    updateGitSource(input: $input) {
      ...Failure
      ... on MutationUpdateGitSourceSuccess {
        data {
          ...GitSourceSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const SYNC = /* GraphQL */ `
  mutation SyncGitSource($input: SyncGitSourceInput!) {
    syncGitSource(input: $input) {
      ...Failure
      ... on MutationSyncGitSourceSuccess {
        data {
          ...GitSourceSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const DELETE = /* GraphQL */ `
  mutation DeleteGitSource($input: DeleteGitSourceInput!) {
    deleteGitSource(input: $input) {
      ...Failure
      ... on MutationDeleteGitSourceSuccess {
        data {
          deletedName
          deactivatedDagIds
          keptDagIds
        }
      }
    }
  }
  ${FAILURE}
`;

export interface GitSourceAnswer {
  name: string;
  description: string | null;
  url: string;
  ref: string | null;
  folder: string;
  access: string;
  username: string | null;
  hasWebhook: boolean;
  intervalSeconds: number;
  trusted: boolean;
  paused: boolean;
  state: 'OK' | 'FAILED' | 'UNKNOWN';
  message: string | null;
  since: string;
  looking: boolean;
  lookedAt: string | null;
  nextLookAt: string | null;
  commit: { sha: string; author: string | null; message: string | null; at: string | null } | null;
  deployedAt: string | null;
  durationMs: number | null;
  files: number | null;
  failedFiles: number | null;
  dagIds: string[];
  importErrors: { path: string; message: string; at: string }[];
}

export interface DeletedAnswer {
  deletedName: string;
  deactivatedDagIds: string[];
  keptDagIds: string[];
}
