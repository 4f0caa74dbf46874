/** The files of a DAG repository to start from. */
import { EXAMPLE_SPEC, EXAMPLE_SOURCE, EXAMPLE_TEST, README } from './examples.ts';

export interface ProjectSettings {
  /** Of the repository, as npm allows it. */
  name: string;
  /** What package.json says of Millrace: a version, or `file:…`. */
  millrace: string;
  /** The versions that Millrace itself is made with. */
  versions: { zod: string; typescript: string; nodeTypes: string };
}

/** By path within the repository. */
export function projectFiles(settings: ProjectSettings): { [path: string]: string } {
  return {
    'package.json': json(packageOf(settings)),
    'tsconfig.json': json(TSCONFIG),
    '.gitignore': 'node_modules/\n*.log\n',
    'README.md': README.replaceAll('NAME', settings.name),
    'dags/hello.ts': EXAMPLE_SOURCE,
    'dags/disk_space.yaml': EXAMPLE_SPEC,
    'test/dags.test.mjs': EXAMPLE_TEST,
  };
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

const packageOf = ({ name, millrace, versions }: ProjectSettings) => ({
  name,
  version: '0.0.0',
  private: true,
  type: 'module',
  engines: { node: '>=20.19' },
  scripts: {
    start: 'millrace start',
    check: 'millrace validate dags && tsc',
    test: 'node --test test/*.test.mjs',
  },
  dependencies: { millrace, zod: versions.zod },
  devDependencies: { '@types/node': versions.nodeTypes, typescript: versions.typescript },
});

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
  },
  include: ['dags'],
};
