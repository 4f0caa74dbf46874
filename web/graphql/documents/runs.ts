import { graphql } from '../graphql.ts';

export const TaskRow = graphql(`
  fragment TaskRow on TaskInstance @_unmask {
    id
    taskId
    taskIndex
    mapIndex
    state
    starting
    tryNumber
    maxTries
    queuedAt
    startedAt
    endedAt
    cause
    message
  }
`);

export const RunQuery = graphql(`
  query Run($runId: ID!) {
    dagRun(runId: $runId) {
      id
      runId
      runKey
      kind
      state
      logicalDate
      dataIntervalStart
      dataIntervalEnd
      conf
      createdAt
      startedAt
      endedAt
      triggeredBy
      cursor
      dag {
        id
        dagId
      }
      version {
        id
        number
        hash
        tasks {
          taskIndex
          taskId
          kind
          upstream
          triggerRule
          queue
        }
      }
    }
  }
`);

/** `cursor` tells up to which event the rows of this page are current. */
export const RunTasksQuery = graphql(
  `
    query RunTasks($runId: ID!, $first: Int!, $after: String) {
      dagRun(runId: $runId) {
        id
        cursor
        taskInstances(first: $first, after: $after) {
          edges {
            node {
              ...TaskRow
            }
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
  `,
  [TaskRow],
);

export const RunCursorQuery = graphql(`
  query RunCursor($runId: ID!) {
    dagRun(runId: $runId) {
      id
      cursor
    }
  }
`);

export const RunEvents = graphql(`
  subscription RunEvents($runId: ID!, $after: String) {
    dagRunEvents(runId: $runId, after: $after) {
      cursor
      at
      kind
      runState
      transitions {
        taskInstanceId
        taskIndex
        taskId
        mapIndex
        state
        tryNumber
        cause
        at
      }
    }
  }
`);

export const LaunchFields = graphql(`
  fragment LaunchFields on Launch @_unmask {
    cluster
    kind
    api
    namespace
    name
    node
    phase
    reason
    message
    claimedAt
    createdAt
    scheduledAt
    startedAt
    finishedAt
    events
  }
`);

export const TaskDetailsQuery = graphql(
  `
    query TaskDetails($id: ID!) {
      taskInstance(id: $id) {
        id
        maxTries
        waitingReason {
          kind
          message
        }
        worker {
          id
          name
        }
        launch {
          ...LaunchFields
        }
        tries {
          tryNumber
          outcome
          cause
          exitCode
          message
          evidence
          startedAt
          endedAt
          worker {
            id
            name
          }
          launch {
            ...LaunchFields
          }
        }
      }
    }
  `,
  [LaunchFields],
);

/** Why some tasks have not started yet. */
export const WaitingReasonsQuery = graphql(`
  query WaitingReasons($ids: [ID!]!) {
    taskInstances(ids: $ids) {
      id
      waitingReason {
        kind
        message
        details
      }
    }
  }
`);

export const TaskLog = graphql(`
  subscription TaskLog($taskInstanceId: ID!, $try: Int, $after: Float) {
    taskLog(taskInstanceId: $taskInstanceId, try: $try, after: $after) {
      nextOffset
      complete
      lines {
        offset
        at
        stream
        text
      }
    }
  }
`);

export const CancelDagRun = graphql(`
  mutation CancelDagRun($input: CancelDagRunInput!) {
    cancelDagRun(input: $input) {
      __typename
      ... on MutationCancelDagRunSuccess {
        data {
          id
        }
      }
      ... on NotFoundError {
        message
      }
      ... on ValidationError {
        message
      }
      ... on ConflictError {
        message
      }
    }
  }
`);

export const ClearTasks = graphql(`
  mutation ClearTasks($input: ClearTasksInput!) {
    clearTasks(input: $input) {
      __typename
      ... on MutationClearTasksSuccess {
        data {
          taskInstances {
            id
            maxTries
          }
        }
      }
      ... on NotFoundError {
        message
      }
      ... on ConflictError {
        message
      }
      ... on ValidationError {
        message
      }
    }
  }
`);
