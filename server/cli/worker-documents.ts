/** What the commands of workers ask. */
import { FAILURE } from './outcome.ts';

const SUMMARY = /* GraphQL */ `
  fragment WorkerSummary on Worker {
    id
    name
    state
    drain
    queues
    slots
    running
    finished
    labels {
      name
      value
    }
    version
    hostname
    pid
    startedAt
    lastBeatAt
    usage {
      cpus
      cpuUsed
      load
      memoryLimit
      memoryUsed
      ownCpu
      ownMemory
    }
  }
`;

export const LIST = /* GraphQL */ `
  query Workers($filter: WorkersFilter, $after: String) {
    workers(first: 200, after: $after, filter: $filter) {
      edges {
        node {
          ...WorkerSummary
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  ${SUMMARY}
`;

export const SHOW = /* GraphQL */ `
  query Worker($name: String!) {
    worker(name: $name) {
      ...WorkerSummary
      tasks(first: 200) {
        edges {
          node {
            taskId
            mapIndex
            tryNumber
            startedAt
            dagRun {
              runId
              dag {
                dagId
              }
            }
          }
        }
      }
    }
  }
  ${SUMMARY}
`;

export const DRAIN = /* GraphQL */ `
  mutation DrainWorker($input: DrainWorkerInput!) {
    drainWorker(input: $input) {
      ...Failure
      ... on MutationDrainWorkerSuccess {
        data {
          ...WorkerSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const RESUME = /* GraphQL */ `
  mutation ResumeWorker($input: ResumeWorkerInput!) {
    resumeWorker(input: $input) {
      ...Failure
      ... on MutationResumeWorkerSuccess {
        data {
          ...WorkerSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const CHANGES = /* GraphQL */ `
  subscription WorkerChanges($filter: WorkersFilter) {
    workerChanges {
      workers(first: 200, filter: $filter) {
        edges {
          node {
            id
            name
            state
            drain
            running
          }
        }
      }
    }
  }
`;
