/** What the commands of clusters ask. */

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
      __typename
      ... on Error {
        message
      }
      ... on ValidationError {
        issues {
          path
          message
        }
      }
      ... on MutationCreateClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${SUMMARY}
`;

export const UPDATE = /* GraphQL */ `
  mutation UpdateCluster($input: UpdateClusterInput!) {
    updateCluster(input: $input) {
      __typename
      ... on Error {
        message
      }
      ... on ValidationError {
        issues {
          path
          message
        }
      }
      ... on MutationUpdateClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${SUMMARY}
`;

export const PAUSE = /* GraphQL */ `
  mutation PauseCluster($input: PauseClusterInput!) {
    pauseCluster(input: $input) {
      __typename
      ... on Error {
        message
      }
      ... on MutationPauseClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${SUMMARY}
`;

export const CHECK = /* GraphQL */ `
  mutation CheckCluster($input: CheckClusterInput!) {
    checkCluster(input: $input) {
      __typename
      ... on Error {
        message
      }
      ... on MutationCheckClusterSuccess {
        data {
          ...ClusterSummary
        }
      }
    }
  }
  ${SUMMARY}
`;

export const DELETE = /* GraphQL */ `
  mutation DeleteCluster($input: DeleteClusterInput!) {
    deleteCluster(input: $input) {
      __typename
      ... on Error {
        message
      }
      ... on MutationDeleteClusterSuccess {
        data {
          deletedName
        }
      }
    }
  }
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
