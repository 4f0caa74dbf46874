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

/** GraphiQL comes from a CDN and starts by an inline script; it is served in development only. */
const GRAPHIQL_POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' https://unpkg.com; style-src 'self' 'unsafe-inline' https://unpkg.com; font-src 'self' data: https://unpkg.com; img-src * data:; worker-src 'self' blob:; frame-ancestors 'none'";

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
