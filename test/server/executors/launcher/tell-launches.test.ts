import { expect, it } from 'vitest';
import {
  TELL_EVERY_MS,
  tellAt,
  TOLD_BY_CLAIM,
  type Told,
} from '../../../../server/executors/launcher/tell-launches.ts';

const NOW = 1_000_000;
const told = (phase: Told['phase'], reason: string | null, ago: number): Told => ({ phase, reason, at: NOW - ago });
const held = told('created', 'Unschedulable', 500);

it.each([
  ['what holds it back, at once', 'created', 'Unschedulable', TOLD_BY_CLAIM, NOW],
  ['what stands in the line, at once', 'waiting', 'quota', TOLD_BY_CLAIM, NOW],
  ['another hindrance so soon, a little later', 'scheduled', 'ErrImagePull', held, NOW - 500 + TELL_EVERY_MS],
  ['another hindrance after long, at once', 'scheduled', 'ErrImagePull', told('created', 'Unschedulable', 60_000), NOW],
  ['that a hindrance is gone', 'scheduled', 'ContainerCreating', told('created', 'Unschedulable', 60_000), NOW],
  ['the same, not again', 'created', 'Unschedulable', held, null],
  ['ordinary progress, only where it stands still', 'created', null, TOLD_BY_CLAIM, NOW + TELL_EVERY_MS],
  [
    'a container that is made, only where it lasts',
    'scheduled',
    'ContainerCreating',
    TOLD_BY_CLAIM,
    NOW + TELL_EVERY_MS,
  ],
  ['nothing new after the claim', 'waiting', null, TOLD_BY_CLAIM, null],
  ['nothing of what runs', 'started', null, held, null],
  ['nothing of what is over', 'ended', null, held, null],
] as const)('tells %s', (_what, phase, reason, before, at) => {
  expect(tellAt({ phase, reason }, before, NOW)).toBe(at);
});
