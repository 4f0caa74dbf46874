import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { serviceCommand, type ConnectionOptions } from '../connect.ts';
import { printJson, printLine } from '../output.ts';

const DOCTOR = /* GraphQL */ `
  query Doctor($runId: ID) {
    doctor(runId: $runId) {
      name
      findings {
        severity
        what
        where
        advice
      }
    }
  }
`;

interface Finding {
  severity: 'INFO' | 'WARNING' | 'ERROR';
  what: string;
  where: string;
  advice: string;
}
interface Check {
  name: string;
  findings: Finding[];
}
interface DoctorOptions extends ConnectionOptions {
  run?: string;
}

export function addDoctorCommand(program: Command): void {
  serviceCommand(
    program
      .command('doctor')
      .description('examine the deployment: exit status 0 all is well, 1 there are warnings, 2 something does not work')
      .option('--run <id>', 'replay the events of this run alone, and compare them with its rows'),
    examine,
    'millrace doctor',
    'millrace doctor --json',
    'millrace doctor --run 123',
  );
}

async function examine(client: ApiClient, { run, json }: DoctorOptions): Promise<void> {
  const { doctor } = await client.request<{ doctor: Check[] }>(DOCTOR, { runId: run ?? null }).catch((cause: Error) => {
    // Whoever watches over a deployment must not take silence for a warning
    throw new CommandError(cause.message, { cause, exitCode: 2 });
  });
  if (json) printJson(doctor);
  else for (const check of doctor) printCheck(check);
  const severities = new Set(doctor.flatMap(({ findings }) => findings.map(({ severity }) => severity)));
  process.exitCode = severities.has('ERROR') ? 2 : severities.has('WARNING') ? 1 : 0;
}

const MARKS = { INFO: 'info', WARNING: 'WARNING', ERROR: 'ERROR' };
const WIDTH = 14;

function printCheck({ name, findings }: Check): void {
  if (findings.length === 0) return printLine(`${name.padEnd(WIDTH)}ok`);
  for (const { severity, what, where, advice } of findings) {
    printLine(`${name.padEnd(WIDTH)}${MARKS[severity]}  ${where}: ${what}`);
    if (advice) printLine(`${' '.repeat(WIDTH)}${advice}`);
  }
}
