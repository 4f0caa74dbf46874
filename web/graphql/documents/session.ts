import { graphql } from '../graphql.ts';

export const ViewerQuery = graphql(`
  query Viewer {
    viewer {
      name
      role
    }
  }
`);

export const ServiceQuery = graphql(`
  query Service {
    serviceHealth {
      version
      now
    }
  }
`);

export const LoginMutation = graphql(`
  mutation Login($input: LoginInput!) {
    login(input: $input) {
      __typename
      ... on MutationLoginSuccess {
        data {
          name
          role
        }
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

/** What the palette offers. */
export const DagNamesQuery = graphql(`
  query DagNames($first: Int!, $search: String) {
    dags(first: $first, search: $search) {
      edges {
        node {
          id
          dagId
        }
      }
    }
  }
`);

export const LogoutMutation = graphql(`
  mutation Logout {
    logout
  }
`);
