export const EXAMPLE_SOURCE = `import { dag } from 'millrace';
import { z } from 'zod';

export default dag(
  'hello',
  {
    description: 'Greets everybody on a list, every morning',
    schedule: '0 7 * * *',
    start: '2026-01-01',
    retries: 1,
    retryDelay: '30s',
    // The form for a run is made from it, and a run with other values is refused.
    params: z.object({ names: z.array(z.string()).default(['Ada', 'Grace']) }),
  },
  ({ task, bash }) => {
    const greetings = task('greet', ({ params, ctx }) => {
      const made = params.names.map((name) => \`Hello, \${name}\`);
      for (const greeting of made) ctx.log.info(greeting);
      return made;
    });

    // What a task returns is what those that name it get, with its type.
    const count = task('count', { greetings }, ({ greetings }) => greetings.length);

    bash('report', { inputs: { COUNT: count }, command: 'echo "$COUNT greetings on {{ ds }}"' });
  },
);
`;

export const EXAMPLE_SPEC = `# yaml-language-server: $schema=../node_modules/millrace/sdk/dag-spec.schema.json
dagId: disk_space
description: Says every hour how full the disk is, and fails when it is too full
schedule: '@hourly'
startDate: 2026-01-01

params:
  type: object
  properties:
    limit: { type: integer, minimum: 1, maximum: 101, default: 101, description: Per cent from which it fails }

tasks:
  - taskId: measure
    kind: bash
    # The last line that a command prints is its result.
    command: df -P / | awk 'NR == 2 { print $5 + 0 }'

  - taskId: check
    kind: bash
    inputs: { USED: measure }
    command: |
      echo "$USED % of the disk are used"
      [ "$USED" -lt {{ params.limit }} ]
`;

export const EXAMPLE_TEST = `// Runs DAGs as the service does, without one: \`npm test\`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
const cli = fileURLToPath(new URL('server/cli/millrace.mjs', import.meta.resolve('millrace/package.json')));

/** Runs \`millrace …\` and resolves to its exit status and its output. */
function millrace(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** One run of a DAG: its last line tells how it ended, the others what happened. */
async function run(file, conf) {
  const { code, stdout, stderr } = await millrace('test', file, '--json', '--conf', JSON.stringify(conf));
  const events = stdout.split('\\n').filter(Boolean).map((line) => JSON.parse(line));
  const logOf = (taskId) => events.filter((event) => event.type === 'log' && event.taskId === taskId).map((event) => event.text);
  return { code, stderr, end: events.at(-1), logOf };
}

test('every DAG file is valid', async () => {
  const { code, stderr } = await millrace('validate', 'dags');
  assert.equal(code, 0, stderr);
});

test('hello greets everybody on the list', async () => {
  const { code, stderr, end, logOf } = await run('dags/hello.ts', { names: ['you'] });
  assert.equal(code, 0, stderr);
  assert.equal(end.state, 'SUCCESS');
  assert.deepEqual(logOf('greet'), ['Hello, you']);
});

test('disk_space fails when the disk is fuller than allowed', async () => {
  const { code, end } = await run('dags/disk_space.yaml', { limit: 1 });
  assert.equal(code, 2);
  assert.deepEqual(end.failures.map((failure) => failure.name), ['check']);
});
`;

export const README = `# NAME

DAGs for Millrace.

\`\`\`sh
npm install
npm start                               # the service with its page; loads dags/ and follows its changes
npx millrace test dags/hello.ts         # runs a DAG in the terminal, without a service
npm run check                           # validates all DAG files and checks their types
npm test                                # runs DAGs and looks at what came of it
npx millrace deploy dags                # brings them to the service at MILLRACE_URL, with MILLRACE_TOKEN
\`\`\`

- \`dags/hello.ts\` is a DAG in TypeScript: tasks are functions, their results flow by name and type.
- \`dags/disk_space.yaml\` is one in YAML; editors that speak YAML complete its fields by the schema in its first line.
- \`test/dags.test.mjs\` shows how DAGs are tested.
`;
