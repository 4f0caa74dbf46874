/** `npm run bench`: runs the scenarios in one session on one PostgreSQL and writes the report. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSides } from './build-sides.ts';
import { startPostgres } from './database.ts';
import { l1 } from './limits/l1.ts';
import { l2 } from './limits/l2.ts';
import { currentLoad, describeMachine, MOST_LOAD } from './machine.ts';
import { readOptions } from './options.ts';
import { startRedis } from './redis.ts';
import { renderReport } from './report.ts';
import type { Bench, Row, Scenario } from './scenario.ts';
import { b1p, b1s } from './scenarios/b1.ts';
import { b2 } from './scenarios/b2.ts';
import { b3 } from './scenarios/b3.ts';
import { b4 } from './scenarios/b4.ts';
import { b5 } from './scenarios/b5.ts';
import { b6 } from './scenarios/b6.ts';
import { b7 } from './scenarios/b7.ts';
import { b9 } from './scenarios/b9.ts';
import { f1 } from './scenarios/f1.ts';
import { m1 } from './scenarios/m1.ts';
import { w1 } from './scenarios/w1.ts';
import { packageVersion, settingsOf } from './versions.ts';

const SCENARIOS: Scenario[] = [l1, l2, b1s, b1p, b2, b3, b4, b5, b6, b7, b9, m1, w1, f1];

const begin = performance.now();
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const log = (line: string) => process.stderr.write(`${line}\n`);
const options = readOptions(process.argv.slice(2), here('report.md'));
const unknown = options.only.filter((id) => !SCENARIOS.some((scenario) => scenario.id === id));
if (unknown.length > 0) {
  log(`There is no scenario ${unknown.join(', ')}; there are ${SCENARIOS.map(({ id }) => id).join(', ')}.`);
  process.exit(1);
}

const load = currentLoad();
if (load > MOST_LOAD) {
  const busy = `The load average is ${load.toFixed(2)}, above ${MOST_LOAD}: something else is computing here.`;
  if (!options.force) {
    log(`${busy} Wait for it, or measure all the same with --force.`);
    process.exit(1);
  }
  log(`${busy} The figures will suffer.`);
}

await buildSides();
const postgres = await startPostgres(options);
const redis = await startRedis(postgres.dataDir);
let stopping: Promise<void> | undefined;
const stop = () => (stopping ??= Promise.all([redis?.stop(), postgres.stop()]).then(() => undefined));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stop().finally(() => process.exit(130)));

const bench: Bench = { postgres, machine: describeMachine(postgres.dataDir), options, redis, log };
const rows: Row[] = [];
try {
  for (const scenario of SCENARIOS) {
    if (options.only.length > 0 && !options.only.includes(scenario.id)) continue;
    log(`${scenario.id}: ${scenario.title}`);
    rows.push(...(await scenario.run(bench)));
  }
  const report = renderReport({
    rows,
    machine: bench.machine,
    versions: {
      Node: process.version,
      PostgreSQL: postgres.version,
      'graphile-worker': packageVersion('graphile-worker'),
      BullMQ: redis ? packageVersion('bullmq') : 'skipped (there is no redis-server here)',
      ...(redis ? { Redis: redis.version } : {}),
    },
    settings: await settingsOf(postgres.admin),
    findings: readFileSync(here('findings.md'), 'utf8'),
    when: new Date(),
    minutes: (performance.now() - begin) / 60_000,
    quick: options.quick,
  });
  process.stdout.write(report);
  if (options.report) writeFileSync(options.report, report);
} finally {
  await stop();
}
