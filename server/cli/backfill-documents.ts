import { FAILURE } from './outcome.ts';

export const CREATE = /* GraphQL */ `
  mutation CreateBackfill($input: CreateBackfillInput!) {
    createBackfill(input: $input) {
      ...Failure
      ... on MutationCreateBackfillSuccess {
        data {
          total
          toRun
          dates {
            logicalDate
            decision
            dagRun {
              runId
              state
            }
          }
          backfill {
            backfillId
            state
            dag {
              paused
            }
          }
        }
      }
    }
  }
  ${FAILURE}
`;
export const LIST = /* GraphQL */ `
  query Backfills($dagId: String, $first: Int!) {
    backfills(dagId: $dagId, first: $first) {
      edges {
        node {
          backfillId
          state
          from
          to
          reprocess
          maxActiveRuns
          backwards
          note
          createdBy
          createdAt
          endedAt
          dag {
            dagId
          }
          progress {
            total
            pending
            running
            success
            failed
            cancelled
            skipped
          }
        }
      }
    }
  }
`;
export const SHOW = /* GraphQL */ `
  query Backfill($backfillId: ID!, $after: String) {
    backfill(backfillId: $backfillId) {
      backfillId
      state
      from
      to
      reprocess
      maxActiveRuns
      backwards
      conf
      note
      createdBy
      createdAt
      endedAt
      dag {
        dagId
      }
      progress {
        total
        pending
        running
        success
        failed
        cancelled
        skipped
      }
      dates(first: 100, after: $after) {
        edges {
          node {
            logicalDate
            outcome
            dagRun {
              runId
              state
              startedAt
              endedAt
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`;
export const PROGRESS = /* GraphQL */ `
  subscription BackfillProgress($backfillId: ID!) {
    backfillProgress(backfillId: $backfillId) {
      backfillId
      state
      progress {
        total
        pending
        running
        success
        failed
        cancelled
        skipped
      }
    }
  }
`;
export const PAUSE = /* GraphQL */ `
  mutation PauseBackfill($backfillId: ID!) {
    pauseBackfill(backfillId: $backfillId) {
      ...Failure
      ... on MutationPauseBackfillSuccess {
        data {
          backfillId
          state
        }
      }
    }
  }
  ${FAILURE}
`;
export const RESUME = /* GraphQL */ `
  mutation ResumeBackfill($backfillId: ID!) {
    resumeBackfill(backfillId: $backfillId) {
      ...Failure
      ... on MutationResumeBackfillSuccess {
        data {
          backfillId
          state
        }
      }
    }
  }
  ${FAILURE}
`;
export const CANCEL = /* GraphQL */ `
  mutation CancelBackfill($backfillId: ID!) {
    cancelBackfill(backfillId: $backfillId) {
      ...Failure
      ... on MutationCancelBackfillSuccess {
        data {
          backfillId
          state
        }
      }
    }
  }
  ${FAILURE}
`;

export interface Progress {
  total: number;
  pending: number;
  running: number;
  success: number;
  failed: number;
  cancelled: number;
  skipped: number;
}
export interface Moved {
  backfillId: string;
  state: string;
}
export interface Moving extends Moved {
  progress: Progress;
}
export interface Backfill extends Moving {
  from: string;
  to: string;
  reprocess: string;
  maxActiveRuns: number;
  backwards: boolean;
  note: string | null;
  createdBy: string;
  createdAt: string;
  endedAt: string | null;
  dag: { dagId: string };
}
export interface BackfillDate {
  logicalDate: string;
  outcome: string | null;
  dagRun: { runId: string; state: string; startedAt: string | null; endedAt: string | null } | null;
}
export interface Plan {
  total: number;
  toRun: number;
  dates: { logicalDate: string; decision: string; dagRun: { runId: string; state: string } | null }[];
  backfill: (Moved & { dag: { paused: boolean } }) | null;
}
