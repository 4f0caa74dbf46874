/** Who tells claims which tasks are ready. */
import { z } from 'zod';
import { redisUrl } from './config-values.ts';

export const BROKERS = ['postgres', 'redis'] as const;

export const BROKER_VARIABLES = {
  MILLRACE_BROKER: {
    schema: z.enum(BROKERS),
    about: `The [broker](queues.md#brokers), one of ${BROKERS.join(', ')}: the same for all servers and schedulers.`,
    fallback: '`postgres`',
  },
  MILLRACE_REDIS_URL: {
    schema: redisUrl,
    about: 'Redis 6.2 or newer, such as redis://user:password@host:6379/0, or rediss:// with TLS.',
  },
};

type Values = { [K in keyof typeof BROKER_VARIABLES]?: z.output<(typeof BROKER_VARIABLES)[K]['schema']> | undefined };

export const brokerMistakes = (values: Values): string[] =>
  values.MILLRACE_BROKER === 'redis' && values.MILLRACE_REDIS_URL === undefined
    ? [`MILLRACE_REDIS_URL: needed by the broker "redis". ${BROKER_VARIABLES.MILLRACE_REDIS_URL.about}`]
    : [];

/** Null: Postgres alone. */
export const brokerConfig = (values: Values): { redisUrl: string } | null =>
  values.MILLRACE_BROKER === 'redis' ? { redisUrl: values.MILLRACE_REDIS_URL! } : null;
