/** A list of the API, read page by page. */
import { hasStatus } from './kube-error.ts';

export interface ListOptions {
  fieldSelector?: string;
  pageSize?: number;
  signal?: AbortSignal;
}

export interface ListPage<T> {
  items: T[];
  /** A watch that starts here misses nothing of what is not in `items`. */
  resourceVersion: string;
}

interface Page<T> {
  items: T[] | null;
  metadata?: { resourceVersion?: string; continue?: string };
}

type AskPage = <P>(query: { limit?: number; continue?: string }) => Promise<P>;

/** When the pages get too old while they are read, all is asked for at once. */
export async function readPages<T>(ask: AskPage, pageSize = 500): Promise<ListPage<T>> {
  const items: T[] = [];
  let next: string | undefined;
  let resourceVersion = '';
  do {
    try {
      const page: Page<T> = await ask<Page<T>>({ limit: pageSize, ...(next ? { continue: next } : {}) });
      items.push(...(page.items ?? []));
      resourceVersion = page.metadata?.resourceVersion ?? '';
      next = page.metadata?.continue;
    } catch (error) {
      if (!next || !hasStatus(error, 410)) throw error;
      const whole = await ask<Page<T>>({});
      return { items: whole.items ?? [], resourceVersion: whole.metadata?.resourceVersion ?? '' };
    }
  } while (next);
  return { items, resourceVersion };
}
