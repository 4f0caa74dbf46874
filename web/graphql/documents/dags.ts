import { graphql } from '../graphql.ts';

export const RecentRun = graphql(`
  fragment RecentRun on DagRun @_unmask {
    id
    runId
    runKey
    state
    kind
    logicalDate
    createdAt
    startedAt
    endedAt
    triggeredBy
  }
`);

export const DagRow = graphql(
  `
    fragment DagRow on Dag @_unmask {
      id
      dagId
      description
      tags
      paused
      schedule
      timezone
      nextRunAt
      recentRuns(first: 14) {
        ...RecentRun
      }
    }
  `,
  [RecentRun],
);

export const DagsQuery = graphql(
  `
    query Dags($first: Int, $after: String, $last: Int, $before: String, $search: String) {
      dags(first: $first, after: $after, last: $last, before: $before, search: $search) {
        edges {
          node {
            ...DagRow
          }
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  `,
  [DagRow],
);

export const DagQuery = graphql(
  `
    query Dag($dagId: String!) {
      dag(dagId: $dagId) {
        id
        dagId
        description
        docs
        owner
        tags
        paused
        schedule
        timezone
        nextRunAt
        maxActiveRuns
        params
        recentRuns(first: 40) {
          ...RecentRun
        }
        version {
          id
          number
          hash
          createdAt
          taskCount
          tasks {
            taskIndex
            taskId
            kind
            upstream
            triggerRule
            retries
            queue
          }
        }
      }
    }
  `,
  [RecentRun],
);

export const DagRunsQuery = graphql(
  `
    query DagRuns($dagId: String!, $first: Int, $after: String, $last: Int, $before: String, $state: RunState) {
      dag(dagId: $dagId) {
        id
        runs(first: $first, after: $after, last: $last, before: $before, state: $state) {
          edges {
            node {
              ...RecentRun
            }
          }
          pageInfo {
            hasNextPage
            hasPreviousPage
            startCursor
            endCursor
          }
        }
      }
    }
  `,
  [RecentRun],
);

/** What a trigger form needs to know; a list does not carry it. */
export const DagParamsQuery = graphql(`
  query DagParams($dagId: String!) {
    dag(dagId: $dagId) {
      id
      params
      paused
    }
  }
`);

/** Where the changes are to be followed from: asked for before the list, so that nothing falls in between. */
export const EventCursorQuery = graphql(`
  query EventCursor {
    eventCursor
  }
`);

export const DagChanges = graphql(
  `
    subscription DagChanges($after: String) {
      dagEvents(after: $after) {
        cursor
        kind
        dag {
          id
          dagId
          paused
          nextRunAt
        }
        dagRun {
          ...RecentRun
          dag {
            id
            dagId
            nextRunAt
          }
        }
      }
    }
  `,
  [RecentRun],
);

export const SetDagPaused = graphql(`
  mutation SetDagPaused($input: SetDagPausedInput!) {
    setDagPaused(input: $input) {
      __typename
      ... on MutationSetDagPausedSuccess {
        data {
          id
          paused
          nextRunAt
        }
      }
      ... on NotFoundError {
        message
      }
      ... on ValidationError {
        message
      }
    }
  }
`);

export const TriggerDagRun = graphql(`
  mutation TriggerDagRun($input: TriggerDagRunInput!) {
    triggerDagRun(input: $input) {
      __typename
      ... on MutationTriggerDagRunSuccess {
        data {
          id
          runId
        }
      }
      ... on ValidationError {
        message
        issues {
          path
          message
        }
      }
      ... on NotFoundError {
        message
      }
    }
  }
`);
