/** The only module that knows sv-router: paths, parameters and the query string as state. */
import { createRouter, Router, searchParams, type RouterApi, type Routes } from 'sv-router';

export { Router, type Routes };

let router: RouterApi<Routes>;

/** Says which page belongs to which path; pages themselves only know the functions below. */
export function openRouter(routes: Routes): void {
  if (!canDecode(location.pathname)) history.replaceState(null, '', `/${encodeURIComponent(location.pathname)}`);
  router = createRouter(routes);
}

export const path = {
  home: () => '/',
  dags: () => '/dags',
  clusters: () => '/clusters',
  dag: (dagId: string) => `/dags/${encodeURIComponent(dagId)}`,
  run: (dagId: string, runId: string) => `/dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}`,
};

/** A mistyped `%` would be the end of the router; made a name, it is a page that does not exist. */
function canDecode(pathname: string): boolean {
  try {
    return decodeURIComponent(pathname) !== '';
  } catch {
    return false;
  }
}

/** A part of the current path, decoded; '' where the path has none. */
export const pathParameter = (name: 'dag' | 'run'): string =>
  decodeURIComponent((router.route.params as Record<string, string | undefined>)[name] ?? '');
export const currentPath = (): string => router.route.pathname;
export const goTo = (to: string): Promise<unknown> => router.navigate(to as never);

/** Read as text: the router would turn `?task=01` into the number 1. */
export const searchParameter = (name: string): string => searchParams.toURLSearchParams().get(name) ?? '';

/** Writes into the query string; empty values leave it. Replaces the history entry unless told to push. */
export function setSearchParameters(
  values: Record<string, string | number | null>,
  history: 'replace' | 'push' = 'replace',
) {
  const how = { replace: history === 'replace' };
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === '') searchParams.delete(name, undefined, how);
    else if (searchParameter(name) !== String(value)) searchParams.set(name, value, how);
  }
}

/** The router takes every click on a link; one with a modifier belongs to the browser (new tab, download). */
export function leaveModifiedClicksToTheBrowser(): () => void {
  const keep = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) event.stopPropagation();
  };
  document.addEventListener('click', keep);
  return () => document.removeEventListener('click', keep);
}
