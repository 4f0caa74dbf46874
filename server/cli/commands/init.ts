import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { packageFile, packageRoot } from '../../entry-points.ts';
import { CommandError } from '../command-error.ts';
import { withExamples } from '../examples.ts';
import { projectFiles, type ProjectSettings } from '../init/project-files.ts';
import { printJson, printLine, printNote } from '../output.ts';

export function addInitCommand(program: Command): void {
  withExamples(
    program
      .command('init')
      .description('make a DAG repository to start from, with types and a test; overwrites nothing')
      .argument('[folder]', 'where', '.')
      .option('--json', 'print JSON'),
    'millrace init my-dags',
  ).action((folder: string, options: { json?: boolean }) => init(resolve(folder), options.json === true));
}

async function init(folder: string, json: boolean): Promise<void> {
  const created: string[] = [];
  const kept: string[] = [];
  for (const [path, text] of Object.entries(projectFiles(settingsFor(folder))))
    ((await writeNew(join(folder, path), text)) ? created : kept).push(path);
  if (json) return printJson({ folder, created, kept });
  for (const path of created) printLine(`created ${path}`);
  for (const path of kept) printNote(`kept    ${path}: it was there already`);
  const place = relative(process.cwd(), folder);
  printNote(`\nNext: ${place ? `cd ${place} && ` : ''}npm install && npm test`);
}

/** False: there is one already. */
async function writeNew(file: string, text: string): Promise<boolean> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { flag: 'wx' });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST' && existsSync(file)) return false;
    throw new CommandError(`Cannot write ${file}: ${(cause as Error).message}`, { cause });
  }
}

interface OwnPackage {
  version: string;
  dependencies: { [name: string]: string };
  devDependencies: { [name: string]: string };
}

function settingsFor(folder: string): ProjectSettings {
  const own = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as OwnPackage;
  const name =
    basename(folder)
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[._-]+/, '') || 'dags';
  const root = packageRoot();
  // A checkout is not in the registry.
  const isCheckout = existsSync(join(root, 'package-lock.json'));
  return {
    name,
    millrace: isCheckout ? `file:${relative(folder, root) || '.'}` : `^${own.version}`,
    versions: {
      zod: own.dependencies['zod']!,
      typescript: own.devDependencies['typescript']!,
      nodeTypes: own.devDependencies['@types/node']!,
    },
  };
}
