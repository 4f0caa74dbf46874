import { afterAll, describe, expect, it } from 'vitest';
import type { ConnectionValue } from '#sdk/protocol.ts';
import { startRunner, tsBundle, type DispatchExtras } from '../../helpers/runner.ts';

const runner = startRunner();
afterAll(() => runner.stop());

const connection: ConnectionValue = {
  id: 'db',
  kind: 'postgres',
  host: 'h',
  port: 5432,
  schema: 's',
  login: 'me',
  password: 'geheim-pw',
  extra: { sslmode: 'require' },
};
const extras: DispatchExtras = {
  variables: { region: 'eu', token: 'geheim-token' },
  connections: { db: connection },
  secrets: ['geheim-token', 'geheim-pw'],
};

describe('a task with variables and connections', () => {
  it('of bash gets them through templates, and shows no secret in its log or its rendered fields', async () => {
    const { report, lines } = await runner.run(
      {
        kind: 'bash',
        command:
          'echo "$KEY of {{ var.value.region }}"; echo $PW | rev; printf geheim-; sleep 0.2; echo token; echo end',
        env: { KEY: '{{ var.value.token }}', PW: '{{ conn.db.password }}', OPEN: 'no template' },
      },
      extras,
    );
    expect(lines).toEqual(['o *** of eu', 'o wp-mieheg', 'o ***', 'o end']);
    expect(report).toMatchObject({ outcome: 'success', xcoms: { return_value: 'end' } });
    expect(report.rendered).toEqual({
      command: expect.stringContaining('of eu') as string,
      'env.KEY': '***',
      'env.PW': '***',
    });
  });

  it('of bash has no secret in the result that is its last line, nor in the message of its failure', async () => {
    const said = await runner.run({ kind: 'bash', command: 'echo {{ var.value.token }}' }, extras);
    expect(said.report.xcoms).toEqual({ return_value: '***' });
    const failed = await runner.run({ kind: 'bash', command: 'echo "bad {{ conn.db.password }}" >&2; exit 3' }, extras);
    expect(failed.report).toMatchObject({ cause: 'exit_code', message: 'Exit code 3: bad ***' });
  });

  it('of Python asks by name, in code and as Airflow has it', async () => {
    const source = `def main(variable, connection, var, conn):
    print(variable("region"), variable("token"), connection("db").host, repr(connection("db")))
    print(conn.db.password, var.value.region, var.value.get("nope", "d"), conn.get("nope") is None)
    return {"login": connection("db").login, "extra": conn.db.extra}`;
    const task = { kind: 'python', source, variables: ['region', 'token'], connections: ['db'] } as const;
    const { report, lines } = await runner.run(
      { ...task, variables: ['region', 'token'], connections: ['db'] },
      extras,
    );
    expect(lines).toEqual(['o eu *** h <Connection db>', 'o *** eu d True']);
    expect(report).toMatchObject({ xcoms: { return_value: { login: 'me', extra: { sslmode: 'require' } } } });
  });

  it('of TypeScript asks the context', async () => {
    const code = `async ({ ctx }) => { console.log(ctx.variable('token')); return ctx.connection('db').host + ctx.variable('region'); }`;
    const bundleHash = runner.bundle(tsBundle({ task: code }));
    const task = { kind: 'typescript', variables: ['region', 'token'], connections: ['db'] } as const;
    const { report, lines } = await runner.run(
      { ...task, variables: [...task.variables], connections: [...task.connections] },
      { ...extras, bundleHash },
    );
    expect(lines).toEqual(['o ***']);
    expect(report).toMatchObject({ outcome: 'success', xcoms: { return_value: 'heu' } });
  });

  it('shows no secret in the stack of an exception', async () => {
    const source = 'def main(variable):\n    raise ValueError("cannot use " + variable("token"))';
    const { report, lines } = await runner.run({ kind: 'python', source, variables: ['token'] }, extras);
    expect(report.message).toBe('ValueError: cannot use ***');
    expect(JSON.stringify([report, lines])).not.toContain('geheim');
  });
});

describe('a task that names what is not there', () => {
  const cause = { outcome: 'failed', cause: 'value_missing', retryable: false };
  it('in a template, fails before it starts', async () => {
    const { report } = await runner.run({ kind: 'bash', command: 'echo {{ var.value.nope }}' }, extras);
    expect(report).toMatchObject({
      ...cause,
      message: expect.stringContaining('millrace variable set nope') as string,
    });
  });
  it('in its declaration, fails before it starts', async () => {
    const { report } = await runner.run({ kind: 'bash', command: 'true', connections: ['gone'] }, extras);
    expect(report).toMatchObject({ ...cause, message: expect.stringContaining("no connection 'gone'") as string });
  });
  it('in TypeScript code, fails there', async () => {
    const bundleHash = runner.bundle(tsBundle({ task: `async ({ ctx }) => ctx.variable('undeclared')` }));
    const { report } = await runner.run({ kind: 'typescript' }, { ...extras, bundleHash });
    expect(report).toMatchObject({ ...cause, message: expect.stringContaining("in the task's 'variables'") as string });
  });
  it('in Python code, fails there', async () => {
    const source = 'def main(variable):\n    return variable("undeclared")';
    const { report } = await runner.run({ kind: 'python', source }, extras);
    expect(report).toMatchObject({ ...cause, message: expect.stringContaining("'undeclared'") as string });
  });
  it('or cannot be read, fails with the reason', async () => {
    const unreadable = { 'variable locked': 'The secret of variable locked cannot be read: no key.' };
    const { report } = await runner.run({ kind: 'bash', command: 'true', variables: ['locked'] }, { unreadable });
    expect(report).toMatchObject({ ...cause, message: unreadable['variable locked'] });
  });
});

it('a task with a broken template fails with the field, and what was rendered before it is told', async () => {
  const { report } = await runner.run({ kind: 'bash', command: 'echo {{ ds }}', env: { X: '{{ nope }}' } });
  expect(report).toMatchObject({
    cause: 'template_error',
    message: expect.stringContaining("env.X: 'nope' is undefined") as string,
    rendered: { command: 'echo 2026-01-02' },
  });
});
