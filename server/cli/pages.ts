import type { ApiClient } from './api-client.ts';

export interface Connection<Node> {
  edges: { node: Node }[];
}

export interface Page<Node> extends Connection<Node> {
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** All nodes of the connection that `query` asks for, with a page after each `$after`. */
export async function listAll<Node>(
  client: ApiClient,
  query: string,
  variables: { [name: string]: unknown } = {},
): Promise<Node[]> {
  const all: Node[] = [];
  for (let after: string | null = null; ;) {
    const answer: { [connection: string]: Page<Node> } = await client.request(query, { ...variables, after });
    const { edges, pageInfo } = Object.values(answer)[0]!;
    all.push(...edges.map(({ node }) => node));
    if (!pageInfo.hasNextPage) return all;
    after = pageInfo.endCursor;
  }
}
