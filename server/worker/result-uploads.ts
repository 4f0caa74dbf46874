/** Brings large results to the service before their report goes out: a report only says where they lie. */
import { rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskReport } from '#sdk/protocol.ts';
import type { ResultFile } from '../runner/large-results.ts';
import { UploadRefused, type WorkerApi } from './worker-api.ts';

export type ResultFiles = { [key: string]: ResultFile };

const LONGEST_PAUSE_MS = 5_000;

export interface ResultUploads {
  /** Resolves to the report to send; never rejects. Asks again for as long as the service is away. The files stay. */
  upload(report: TaskReport, files: ResultFiles): Promise<TaskReport>;
}

export function createResultUploads(
  api: Pick<WorkerApi, 'putArtifact'>,
  onError: (error: unknown) => void,
): ResultUploads {
  const put = async (dispatchId: string, file: ResultFile): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        await stat(file.path);
        return await api.putArtifact(dispatchId, file);
      } catch (error) {
        if (error instanceof UploadRefused || (error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
        onError(error);
        await sleep(Math.min(LONGEST_PAUSE_MS, 200 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  };

  return {
    async upload(report, files) {
      try {
        const artifacts: NonNullable<TaskReport['artifacts']> = {};
        for (const [key, file] of Object.entries(files)) {
          await put(report.dispatchId, file);
          const { hash, bytes, preview } = file;
          artifacts[key] = { hash, bytes, preview };
        }
        return { ...report, artifacts };
      } catch (error) {
        return notUploaded(report, error);
      }
    },
  };
}

export const removeResultFiles = async (paths: readonly string[]): Promise<void> =>
  void (await Promise.all(paths.map((path) => rm(path, { force: true }))));

/** Fenced meanwhile: the report will hear so too. Or refused for what it is. */
function notUploaded({ dispatchId, logBytes }: TaskReport, error: unknown): TaskReport {
  const refused = error instanceof UploadRefused;
  return {
    dispatchId,
    logBytes,
    outcome: 'failed',
    cause: refused ? 'result_invalid' : 'interrupted',
    message: refused
      ? `The task's result could not be stored: ${error.message}`
      : 'The worker lost the result of the task before it was stored.',
    ...(refused && { retryable: false }),
  };
}
