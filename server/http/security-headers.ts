import type { ServerResponse } from 'node:http';

const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  // Svelte sets style attributes for transitions and positions
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "object-src 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ');

/** Its style sheet carries its fonts. */
const GRAPHIQL_POLICY = `${POLICY}; font-src 'self' data:`;

/** Data from tasks is never a page of ours. */
const DATA_POLICY = "default-src 'none'; sandbox";

const POLICIES = { page: POLICY, graphiql: GRAPHIQL_POLICY, data: DATA_POLICY };

export function setSecurityHeaders(res: ServerResponse, kind: keyof typeof POLICIES, isSecure: boolean): void {
  res.setHeader('content-security-policy', POLICIES[kind]);
  res.setHeader('x-content-type-options', 'nosniff');
  res.setHeader('referrer-policy', 'no-referrer');
  res.setHeader('cross-origin-opener-policy', 'same-origin');
  res.setHeader('cross-origin-resource-policy', 'same-origin');
  if (isSecure) res.setHeader('strict-transport-security', 'max-age=31536000');
}
