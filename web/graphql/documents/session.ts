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

export const LogoutMutation = graphql(`
  mutation Logout {
    logout
  }
`);
