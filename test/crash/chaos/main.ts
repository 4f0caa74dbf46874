/**
 * `npm run chaos -- --seed 7 --minutes 5 --broker redis --keep /tmp/story`: breaks a whole service on this machine for so long, checks what it promised,
 * and keeps what its processes said.
 */
import { parseArgs } from 'node:util';
import { buildWhenStale } from '../../helpers/build.ts';
import { faultsOf } from './faults.ts';
import { runChaos } from './run-chaos.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    minutes: { type: 'string', default: '3' },
    broker: { type: 'string', default: 'postgres' },
    runs: { type: 'string' },
    keep: { type: 'string' },
    workers: { type: 'string', default: '4' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const broker = values.broker === 'redis' ? 'redis' : 'postgres';
console.log(`seed ${seed}, ${minutes} minutes`);
await buildWhenStale();
const result = await runChaos({
  seed,
  size: { servers: 3, schedulers: 2, workers: Number(values.workers), slots: 8, broker },
  runs: Number(values.runs ?? Math.ceil(100 * minutes)),
  faults: faultsOf(broker),
  brokenMs: minutes * 60_000,
  healMs: 420_000,
  keep: values.keep,
  say: console.log,
});
console.log(result);
// Whatever a broken line has left open must not keep it
process.exit(0);
