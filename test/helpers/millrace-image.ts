/** The image that the Pods of tests run: given, or made of what is here and brought into the test cluster by a program that can. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { builtImports, packageFolders } from './built-imports.ts';

const root = join(import.meta.dirname, '../..');
const PRODUCT = 'opt/millrace';
/** What the image has of the product; the Dockerfile has the page and all packages beside it. */
const PRODUCT_FILES = [
  ...['package.json', 'dist', 'sdk', 'server/cli/millrace.mjs', 'server/cli/container-entry.sh'],
] as const;
/** Programs of a task's Pod. */
export const POD_PROGRAMS = [
  'server/cli/pod-main.js',
  'server/runner/supervisor-main.js',
  'server/runner/node-child.js',
  'server/runner/operator-child.js',
] as const;
const TOOLS = 'sh bash cat dirname env grep head id ls mkdir readlink rm seq sleep tail touch wc'.split(' ');
const NOT_OF_PYTHON =
  /(^|\/)(test|site-packages|__pycache__|idlelib|tkinter|ensurepip|lib2to3|turtledemo|config-[^/]*)$/;

export const WITHOUT_IMAGE =
  'There is no image for Pods of tasks: set MILLRACE_TEST_RUNNER_IMAGE to one that your cluster has, or MILLRACE_TEST_IMAGE_PACKER to a program that brings a folder into it.';

/** Whether `millraceImage` can give one. */
export const hasMillraceImage = (): boolean =>
  !!process.env['MILLRACE_TEST_RUNNER_IMAGE'] || !!process.env['MILLRACE_TEST_IMAGE_PACKER'];

/** `clusterId`: changes when the cluster is made anew, and has lost its images. */
export function millraceImage(clusterId: string): string {
  const given = process.env['MILLRACE_TEST_RUNNER_IMAGE'];
  if (given) return given;
  const packer = process.env['MILLRACE_TEST_IMAGE_PACKER'];
  if (!packer) throw new Error(WITHOUT_IMAGE);
  // One tag for each checkout: the image that is replaced goes by itself
  const tag = createHash('sha256').update(root).digest('hex').slice(0, 8);
  const marker = join(tmpdir(), `millrace-test-image-${tag}`);
  const python = findPython();
  const made = `${contentHash(python)} ${clusterId}`;
  const name = `localhost/millrace-test:${tag}`;
  if (existsSync(marker) && readFileSync(marker, 'utf8') === made) return name;
  const folder = mkdtempSync(join(tmpdir(), 'millrace-image-'));
  try {
    chmodSync(folder, 0o755);
    fillImage(folder, python);
    execFileSync(packer, [`millrace-test:${tag}`, folder, '["millrace"]'], { stdio: ['ignore', 'ignore', 'inherit'] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  writeFileSync(marker, made);
  return name;
}

interface Python {
  program: string;
  library: string;
}

/** The interpreter itself, where `python3` may be a shell script that looks for it. Null: none here. */
function findPython(): Python | null {
  const look = 'import os,sys,sysconfig; print(os.path.realpath(sys.executable)); print(sysconfig.get_path("stdlib"))';
  try {
    const [program = '', library = ''] = execFileSync('python3', ['-c', look]).toString().split('\n');
    return { program, library };
  } catch {
    return null;
  }
}

function contentHash(python: Python | null): string {
  const hash = createHash('sha256').update(JSON.stringify([process.version, python, TOOLS]));
  const visit = (path: string) => {
    const absolute = join(root, path);
    if (!statSync(absolute).isDirectory()) return void hash.update(path).update(readFileSync(absolute));
    for (const name of readdirSync(absolute).sort()) if (isWanted(name)) visit(`${path}/${name}`);
  };
  // Chunks of earlier builds lie in dist/ as well
  for (const file of builtFiles()) visit(`dist/${file}`);
  for (const path of PRODUCT_FILES) if (path !== 'dist') visit(path);
  return hash.digest('hex');
}

const isWanted = (path: string): boolean => !/(\.map|__pycache__|\.stamp)$/.test(path);
const builtFiles = (): string[] =>
  [...new Set(POD_PROGRAMS.flatMap((entry) => [...builtImports(entry, { dynamic: true }).files]))].sort();

function fillImage(folder: string, python: Python | null): void {
  mkdirSync(join(folder, 'tmp'));
  chmodSync(join(folder, 'tmp'), 0o1777);
  copyProduct(join(folder, PRODUCT));
  const programs = join(folder, 'usr/local/bin');
  mkdirSync(programs, { recursive: true });
  symlinkSync(`/${PRODUCT}/server/cli/container-entry.sh`, join(programs, 'millrace'));
  copyProgram(process.execPath, folder, 'usr/local/bin/node');
  for (const tool of TOOLS) copyProgram(which(tool), folder, `usr/bin/${tool}`);
  mkdirSync(join(folder, 'bin'));
  for (const shell of ['sh', 'bash']) symlinkSync(`/usr/bin/${shell}`, join(folder, 'bin', shell));
  if (python) copyPython(python, folder);
}

function copyProduct(to: string): void {
  for (const file of builtFiles()) copyFile(join(root, 'dist', file), join(to, 'dist', file));
  for (const path of PRODUCT_FILES)
    if (path !== 'dist') cpSync(join(root, path), join(to, path), { recursive: true, filter: isWanted });
  const packages = POD_PROGRAMS.flatMap((entry) => [...builtImports(entry, { dynamic: true }).packages]);
  const modules = realpathSync(join(root, 'node_modules'));
  for (const path of packageFolders(packages))
    cpSync(path, join(to, 'node_modules', relative(modules, realpathSync(path))), {
      recursive: true,
      filter: isWanted,
    });
}

function copyPython({ program, library }: Python, folder: string): void {
  copyProgram(program, folder, program.slice(1));
  symlinkSync(program, join(folder, 'usr/local/bin/python3'));
  cpSync(library, join(folder, library), { recursive: true, filter: (path) => !NOT_OF_PYTHON.test(path) });
  const modules = join(library, 'lib-dynload');
  for (const name of existsSync(modules) ? readdirSync(modules) : []) copyLibraries(join(modules, name), folder);
}

const which = (tool: string): string => realpathSync(execFileSync('which', [tool]).toString().trim());

function copyProgram(program: string, folder: string, to: string): void {
  copyFile(realpathSync(program), join(folder, to));
  copyLibraries(program, folder);
}

/** At the paths where the loader looks for them. */
function copyLibraries(program: string, folder: string): void {
  let listed = '';
  try {
    listed = execFileSync('ldd', [program], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  } catch {
    // It is linked statically
    return;
  }
  for (const [path] of listed.matchAll(/\/\S+/g))
    if (basename(path) !== basename(program) && !existsSync(join(folder, path)))
      copyFile(realpathSync(path), join(folder, path));
}

function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
