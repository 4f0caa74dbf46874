import type { CombinedError } from '@urql/core';
import { client, errorCode } from '../graphql/client.ts';
import { ServiceQuery, ViewerQuery } from '../graphql/documents/session.ts';
import { clock } from '../state/clock.svelte.ts';
import { session } from '../state/session.svelte.ts';

/** Learns who is signed in; the error is returned when the service cannot say. */
export async function loadViewer(): Promise<CombinedError | undefined> {
  const result = await client.query(ViewerQuery, {}, { requestPolicy: 'network-only' }).toPromise();
  const refused =
    result.error && (errorCode(result.error) === 'UNAUTHENTICATED' || result.error.response?.status === 401);
  if (result.error && !refused) return result.error;
  session.begin(result.data?.viewer ?? null);
  return undefined;
}

export async function readClock(): Promise<void> {
  const sent = Date.now();
  const result = await client.query(ServiceQuery, {}, { requestPolicy: 'network-only' }).toPromise();
  if (result.data) clock.adjust(result.data.serviceHealth.now, sent, Date.now());
}
