/** What the commands of clusters ask. */
import { FAILURE } from './outcome.ts';

const CONDITION = /* GraphQL */ `
  fragment ClusterCondition on Cluster {
    paused
    managed
    health {
      state
      message
      version
      missingPermissions
      since
      checkedAt
    }
    podCounts {
      waiting
      starting
      running
    }
  }
`;

const SUMMARY = /* GraphQL */ `
  fragment ClusterSummary on Cluster {
    name
    kind
    server
    context
    namespaces {
      name
    }
    ...ClusterCondition
  }
  ${CONDITION}
`;

export const CREATE = /* GraphQL */ `
  mutation CreateCluster($input: CreateClusterInput!) {
    createCluster(input: $input) {
      ...Failure
      ... on MutationCreateClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const UPDATE = /* GraphQL */ `
  mutation UpdateCluster($input: UpdateClusterInput!) {
    updateCluster(input: $input) {
      ...Failure
      ... on MutationUpdateClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const PAUSE = /* GraphQL */ `
  mutation PauseCluster($input: PauseClusterInput!) {
    pauseCluster(input: $input) {
      ...Failure
      ... on MutationPauseClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const CHECK = /* GraphQL */ `
  mutation CheckCluster($input: CheckClusterInput!) {
    checkCluster(input: $input) {
      ...Failure
      ... on MutationCheckClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${FAILURE}
  ${SUMMARY}
`;

export const DELETE = /* GraphQL */ `
  mutation DeleteCluster($input: DeleteClusterInput!) {
    deleteCluster(input: $input) {
      ...Failure
      ... on MutationDeleteClusterSuccess {
        data {
          deletedName
        }
      }
    }
  }
  ${FAILURE}
`;

export const LIST = /* GraphQL */ `
  query Clusters {
    clusters {
      ...ClusterSummary
    }
  }
  ${SUMMARY}
`;

export const SHOW = /* GraphQL */ `
  query Cluster($name: String!) {
    cluster(name: $name) {
      name
      kind
      server
      context
      namespaces {
        name
        error
        quotas {
          name
          scopes
          resources {
            resource
            hard
            used
            usedFraction
          }
        }
        limitRanges {
          name
          limits {
            type
            resource
            min
            max
            default
            defaultRequest
          }
        }
      }
      description
      insecure
      serviceUrl
      runnerImage
      qps
      burst
      parallelCreates
      maxPods
      maxPodsPerNamespace
      podSecurity
      images
      serviceAccounts
      podDefaults
      updatedAt
      updatedBy
      ...ClusterCondition
    }
  }
  ${CONDITION}
`;
