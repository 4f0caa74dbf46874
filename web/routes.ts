import DagListPage from './pages/dag-list/DagListPage.svelte';
import NotFoundPage from './pages/not-found/NotFoundPage.svelte';
import type { Routes } from './router.ts';

/** The list is in the first load; every other page is a chunk of its own. */
export const routes: Routes = {
  '/': DagListPage,
  '/dags': DagListPage,
  '/dags/:dag': {
    layout: () => import('./pages/dag/DagFrame.svelte'),
    '/': () => import('./pages/dag/runs/RunsPage.svelte'),
    '/tasks': () => import('./pages/dag/tasks/TasksPage.svelte'),
  },
  '/dags/:dag/runs/:run': () => import('./pages/run/RunPage.svelte'),
  '/clusters': () => import('./pages/clusters/ClustersPage.svelte'),
  '*': NotFoundPage,
};
