import Server from '@lucide/svelte/icons/server';
import Workflow from '@lucide/svelte/icons/workflow';
import type { CommonText } from '../messages/common.ts';
import { path } from '../router.ts';

export interface RailItem {
  name: keyof Omit<CommonText['nav'], 'groups'>;
  href: string;
  Icon: typeof Workflow;
  /** Second key after `g`. */
  key?: string;
}

/** The main pages, in the order of the rail. */
export const RAIL: readonly { group: keyof CommonText['nav']['groups']; items: readonly RailItem[] }[] = [
  { group: 'work', items: [{ name: 'dags', href: path.dags(), Icon: Workflow, key: 'd' }] },
  { group: 'resources', items: [{ name: 'clusters', href: path.clusters(), Icon: Server, key: 'c' }] },
];

/** The page itself, or one below it. */
export const isWithin = (href: string, current: string): boolean => current === href || current.startsWith(`${href}/`);
