/** The variables of a worker, as part of all variables (config.ts). */
import { WORKER_NAME, bytes, labels, names, text, wholeNumber } from './config-values.ts';

export const WORKER_VARIABLES = {
  MILLRACE_WORKER_NAME: {
    schema: text.regex(WORKER_NAME, 'must be a name'),
    about: 'Name of the worker.',
    fallback: 'host name and process id; for `start` one that stays',
  },
  MILLRACE_WORKER_SLOTS: {
    schema: wholeNumber(1, 10_000),
    about: 'Tasks that the worker runs at once.',
    fallback: 'twice the CPUs, at least 4',
  },
  MILLRACE_WORKER_QUEUES: {
    schema: names,
    about: 'Queues that the worker serves, with commas between them.',
    fallback: '`default`',
  },
  MILLRACE_WORKER_LABELS: {
    schema: labels,
    about: 'What is said of the worker for people and their tools, such as zone=a,gpu=a100.',
    fallback: 'none',
  },
  MILLRACE_WORKER_TASK_MEMORY: {
    schema: bytes,
    about: 'Largest memory of one task, such as 2Gi.',
    fallback: 'no limit',
  },
  MILLRACE_WORKER_CHILD_TASKS: {
    schema: wholeNumber(1, 1_000_000),
    about:
      'TypeScript tasks run one after another in warm processes. After so many a process is replaced: what the code leaves in memory goes with it. Each Python task has a process of its own.',
    fallback: '`20000`',
  },
  MILLRACE_WORKER_CHILD_MEMORY: {
    schema: bytes,
    about: 'Size at which such a process is replaced when its task has ended.',
    fallback: '`512Mi`',
  },
  MILLRACE_WORKER_SPOOL: {
    schema: bytes,
    about:
      'Most that is written to MILLRACE_HOME of the output of tasks while the service is away. Beyond it tasks that print wait until there is room.',
    fallback: '`1Gi`',
  },
  MILLRACE_WORKER_BUNDLE_CACHE: {
    schema: bytes,
    about:
      'Size of the code of DAGs that the worker keeps unpacked on its disk. What running tasks use stays there, also beyond it.',
    fallback: '`2Gi`',
  },
  MILLRACE_WORKER_RESULT_CACHE: {
    schema: bytes,
    about:
      'Size of the large results of other tasks that the worker keeps on its disk for the next reader. What running tasks read stays there, also beyond it.',
    fallback: '`2Gi`',
  },
  MILLRACE_WORKER_VENV_CACHE: {
    schema: bytes,
    about:
      'Size of the virtual environments with the [packages](deploying.md#python-packages) of python tasks that the worker keeps on its disk. What running tasks use stays there, also beyond it.',
    fallback: '`10Gi`',
  },
};
