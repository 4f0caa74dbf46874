/** What can go wrong. Each fault does its harm, lasts, and mends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet, Member, Role } from './fleet.ts';

export interface Fault {
  /** For the timeline. */
  text: string;
  /** Whom it befalls: two faults never have the same victim at once. */
  victim: string;
  inflict(signal: AbortSignal): Promise<void>;
}

/** From 0 to 1, from the seed. */
export type Random = () => number;
export type FaultName = keyof typeof FAULTS;

interface Choice {
  fleet: Fleet;
  random: Random;
}

const between = (random: Random, low: number, high: number) => low + (high - low) * random();
const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const someOf = ({ fleet, random }: Choice, ...roles: Role[]): Member =>
  pick(
    random,
    fleet.members.filter(({ role }) => roles.includes(role)),
  );
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const wait = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal }).catch(() => undefined);

function kill(choice: Choice, role: Role): Fault {
  const member = someOf(choice, role);
  const tree = choice.random() < 0.5;
  const away = between(choice.random, 200, 4_000);
  return {
    text: `kill -9 ${member.name}${tree ? ' and all it started' : ''}, back after ${seconds(away)}`,
    victim: member.name,
    async inflict(signal) {
      await member.kill(tree);
      await wait(away, signal);
      await member.start();
    },
  };
}

function pause(choice: Choice, role: Role, ms: number, tree = choice.random() < 0.5): Fault {
  const member = someOf(choice, role);
  return {
    text: `SIGSTOP ${member.name}${tree ? ' and all it started' : ''} for ${seconds(ms)}`,
    victim: member.name,
    async inflict(signal) {
      member.pause(tree);
      await wait(ms, signal);
      member.resume();
    },
  };
}

/** What waits on both sides learns by the reset that it is never answered. */
function silence(choice: Choice, ...roles: Role[]): Fault {
  const { name, line } = someOf(choice, ...roles);
  const ms = between(choice.random, 3_000, 12_000);
  const directions = pick(choice.random, [['up'], ['down'], ['up', 'down']] as const);
  const ends = pick(choice.random, ['reset', 'resume'] as const);
  return {
    text: `nothing passes ${directions.join(' and ')} the line of ${name} for ${seconds(ms)}, then ${ends}`,
    victim: `line of ${name}`,
    async inflict(signal) {
      line.hold(...directions);
      await wait(ms, signal);
      if (ends === 'reset') line.reset();
      line.pass();
    },
  };
}

function resets(choice: Choice, ...roles: Role[]): Fault {
  const { name, line } = someOf(choice, ...roles);
  const times = 2 + Math.floor(choice.random() * 6);
  return {
    text: `${times} resets of the line of ${name}`,
    victim: `line of ${name}`,
    async inflict(signal) {
      for (let i = 0; i < times; i++) {
        line.reset();
        await wait(700, signal);
      }
    },
  };
}

/** As when a router loses what it knew of its connections. */
function forget(choice: Choice, ...roles: Role[]): Fault {
  const { name, line } = someOf(choice, ...roles);
  return {
    text: `the open connections of ${name} are silent for ever`,
    victim: `line of ${name}`,
    inflict: async () => line.forget(),
  };
}

function slow(choice: Choice, ...roles: Role[]): Fault {
  const { name, line } = someOf(choice, ...roles);
  const [delay, ms] = [between(choice.random, 20, 400), between(choice.random, 4_000, 10_000)];
  return {
    text: `the line of ${name} is slower by ${delay.toFixed(0)} ms for ${seconds(ms)}`,
    victim: `line of ${name}`,
    async inflict(signal) {
      line.delay(delay);
      await wait(ms, signal);
      line.pass();
    },
  };
}

const restartPostgres = ({ fleet }: Choice): Fault => ({
  text: 'PostgreSQL ends at once and starts again',
  victim: 'PostgreSQL',
  inflict: () => fleet.postgres.restart(),
});

function pausePostgres({ fleet, random }: Choice): Fault {
  const ms = between(random, 2_000, 8_000);
  return {
    text: `SIGSTOP PostgreSQL for ${seconds(ms)}`,
    victim: 'PostgreSQL',
    async inflict(signal) {
      fleet.postgres.pause();
      await wait(ms, signal);
      fleet.postgres.resume();
    },
  };
}

/** Nothing may be missed of what it knew. */
function wipeRedis({ fleet }: Choice): Fault {
  return {
    text: 'Redis forgets everything',
    victim: 'Redis',
    inflict: async () => void (await fleet.redis?.client.flushall()),
  };
}

function killRedis({ fleet, random }: Choice): Fault {
  const away = between(random, 500, 6_000);
  return {
    text: `kill -9 Redis, back after ${seconds(away)}`,
    victim: 'Redis',
    async inflict(signal) {
      await fleet.redis?.kill();
      await wait(away, signal);
      await fleet.redis?.start();
    },
  };
}

/** Longer than a lease, and than it takes to sweep it. */
const BEYOND_LEASE_MS = 76_000;

export const FAULTS = {
  killServer: (choice: Choice) => kill(choice, 'server'),
  killScheduler: (choice: Choice) => kill(choice, 'scheduler'),
  killWorker: (choice: Choice) => kill(choice, 'worker'),
  pauseServer: (choice: Choice) => pause(choice, 'server', between(choice.random, 3_000, 18_000), false),
  pauseScheduler: (choice: Choice) => pause(choice, 'scheduler', between(choice.random, 5_000, 25_000), false),
  pauseWorker: (choice: Choice) => pause(choice, 'worker', between(choice.random, 2_000, 20_000)),
  pauseWorkerBeyondLease: (choice: Choice) => pause(choice, 'worker', BEYOND_LEASE_MS),
  silenceDatabase: (choice: Choice) => silence(choice, 'server', 'scheduler'),
  silenceWorker: (choice: Choice) => silence(choice, 'worker'),
  resetDatabase: (choice: Choice) => resets(choice, 'server', 'scheduler'),
  resetWorker: (choice: Choice) => resets(choice, 'worker'),
  forgetDatabase: (choice: Choice) => forget(choice, 'server', 'scheduler'),
  forgetWorker: (choice: Choice) => forget(choice, 'worker'),
  slowDatabase: (choice: Choice) => slow(choice, 'server', 'scheduler'),
  slowWorker: (choice: Choice) => slow(choice, 'worker'),
  restartPostgres,
  pausePostgres,
  wipeRedis,
  killRedis,
} satisfies { [name: string]: (choice: Choice) => Fault };

const OF_REDIS: ReadonlySet<FaultName> = new Set(['wipeRedis', 'killRedis']);
/** It takes more than a minute until these are noticed, or over. */
const SLOW: ReadonlySet<FaultName> = new Set(['forgetDatabase', 'pauseWorkerBeyondLease']);

/** Those that can befall a service with this broker. */
export const faultsOf = (broker: 'postgres' | 'redis'): FaultName[] =>
  (Object.keys(FAULTS) as FaultName[]).filter((name) => broker === 'redis' || !OF_REDIS.has(name));

export const isQuick = (name: FaultName): boolean => !SLOW.has(name);
