/** What is too large for GraphQL, over plain HTTP: bundles, and large results up and down. */
import { openAsBlob } from 'node:fs';
import { ServiceRefusal } from './service-answer.ts';
import { UploadRefused, type WorkerApi } from './worker-api.ts';

const BUNDLE_MS = 30_000;
const TRANSFER_MS = 300_000;

export interface ServiceTransfers extends Pick<WorkerApi, 'putArtifact' | 'readArtifact'> {
  fetchBundle(hash: string): Promise<Buffer>;
}

export interface ServiceTransfersDeps {
  /** The service, e.g. http://millrace:4400 */
  url: string;
  /** With the credential; asked for each request. */
  headers(): { [name: string]: string };
}

export function createServiceTransfers({ url, headers }: ServiceTransfersDeps): ServiceTransfers {
  const get = async (path: string, what: string, timeoutMs: number): Promise<Response> => {
    const response = await fetch(new URL(path, url), { headers: headers(), signal: AbortSignal.timeout(timeoutMs) });
    const { status, statusText, ok, body } = response;
    if (ok && body) return response;
    const said = `${what}: the service answered ${status} ${statusText}`;
    if ([401, 403, 404].includes(status)) throw new ServiceRefusal(said, { isCredential: status === 401 });
    throw new Error(said);
  };

  return {
    async putArtifact(dispatchId, { path, hash, bytes }) {
      const response = await fetch(new URL(`/artifacts/${dispatchId}/${hash}`, url), {
        method: 'PUT',
        headers: { ...headers(), 'content-type': 'application/json', 'content-length': String(bytes) },
        body: await openAsBlob(path),
        signal: AbortSignal.timeout(TRANSFER_MS),
      });
      if (response.ok) return;
      const said = (await response.text()).trim();
      if ([400, 404, 409, 413].includes(response.status)) throw new UploadRefused(said);
      if (response.status === 401) throw new ServiceRefusal(said, { isCredential: true });
      throw new Error(`The service answered ${response.status} to a result: ${said}`);
    },
    async readArtifact(dispatchId, hash) {
      const response = await get(`/artifacts/${dispatchId}/${hash}`, `Result ${hash.slice(0, 12)}`, TRANSFER_MS);
      return response.body as unknown as AsyncIterable<Uint8Array>;
    },
    fetchBundle: async (hash) =>
      Buffer.from(await (await get(`/bundles/${hash}`, `Bundle ${hash}`, BUNDLE_MS)).arrayBuffer()),
  };
}
