/** What values of environment variables may be. Messages say no value: it may be a secret. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { NAMESPACE_PATTERN } from '#sdk/clusters.ts';
import { GIT_PROTOCOLS } from '#sdk/git-sources.ts';
import { parseLabels } from '#sdk/worker-labels.ts';

export const WORKER_NAME = /^[\w.:-]{1,200}$/;
export const text = z.string().trim();
export const wholeNumber = (low: number, high: number) =>
  text
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((n) => n >= low && n <= high, `must be from ${low} to ${high}`);
export const boolean = text.regex(/^(true|false)$/, 'must be true or false').transform((value) => value === 'true');
export const httpUrl = z.url({
  protocol: /^https?$/,
  error: 'must be an address that begins with http:// or https://',
});
export const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must be an address such as postgres://user@host:5432/database',
});
export const redisUrl = z.url({
  protocol: /^rediss?$/,
  error: 'must be an address such as redis://user:password@host:6379, or rediss:// with TLS',
});
export const path = text.transform((value) => resolve(value));
const SIZE_UNITS: { [unit: string]: number } = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
export const bytes = text
  .regex(/^\d+(Ki|Mi|Gi)?$/, 'must be a size such as 512Mi or 2Gi')
  .transform((value) => parseInt(value, 10) * (SIZE_UNITS[value.replace(/^\d+/, '')] ?? 1));
export const namespaceNames = text
  .transform((value) => value.split(',').map((name) => name.trim()))
  .refine(
    (list) => list.every((name) => NAMESPACE_PATTERN.test(name)),
    'must be names of namespaces with commas between them',
  );
export const names = text
  .transform((value) => value.split(',').map((name) => name.trim()))
  .refine(
    (list) => list.every((name) => /^[A-Za-z0-9_.-]{1,100}$/.test(name)),
    'must be names with commas between them',
  );
const list = text.transform((value) => value.split(',').map((part) => part.trim()));
export const gitProtocols = list.pipe(
  z.array(z.enum(GIT_PROTOCOLS, `must be some of ${GIT_PROTOCOLS.join(', ')}, with commas between them`)),
);
export const hostPatterns = list.pipe(
  z.array(z.string().regex(/^[\w.*:-]{1,253}$/, 'must be hosts with commas between them, such as *.example.com')),
);
export const labels = text.transform((value, context) => {
  const parsed = parseLabels(value);
  if (typeof parsed !== 'string') return parsed;
  context.addIssue({ code: 'custom', message: parsed });
  return z.NEVER;
});
/** 32 bytes, from `openssl rand -hex 32` or `openssl rand -base64 32`. */
export const secretKey = text
  .transform((value) => Buffer.from(value, /^[0-9a-f]{64}$/i.test(value) ? 'hex' : 'base64'))
  .refine((key) => key.length === 32, 'must be 32 bytes in hex or base64: make one with "openssl rand -hex 32"');
