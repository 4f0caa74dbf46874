import { graphql } from '../graphql.ts';

export const ClusterRow = graphql(`
  fragment ClusterRow on Cluster @_unmask {
    id
    name
    kind
    description
    server
    context
    paused
    managed
    maxPods
    health {
      state
      message
      version
      since
    }
    podCounts {
      waiting
      starting
      running
    }
    namespaces {
      name
    }
  }
`);

export const ClustersQuery = graphql(
  `
    query Clusters {
      clusters {
        ...ClusterRow
      }
    }
  `,
  [ClusterRow],
);

/** Each message is complete. */
export const ClusterChanges = graphql(
  `
    subscription ClusterChanges {
      clusterChanges {
        at
        clusters {
          ...ClusterRow
        }
      }
    }
  `,
  [ClusterRow],
);

/** Asked for apart: a cluster that does not answer must not hold up the others. */
export const ClusterQuotasQuery = graphql(`
  query ClusterQuotas($name: String!) {
    cluster(name: $name) {
      id
      namespaces {
        name
        error
        quotas {
          name
          resources {
            resource
            hard
            used
            usedFraction
          }
        }
      }
    }
  }
`);
