import type { CommonText } from '../messages/common.ts';

export type ShownState = keyof CommonText['state'];

interface Glyph {
  /** Solid: the state is final or has the floor. */
  fill?: string;
  /** Drawn around: not started, or moving. */
  edge?: string;
  dashes?: string;
  hatch?: string;
  /** The moving part of a ring. */
  arc?: string;
  sign?: string;
  spins?: boolean;
}

const DISC = 'M8 .75a7.25 7.25 0 1 1 0 14.5a7.25 7.25 0 0 1 0-14.5z';
const RING = 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z';
const OCTAGON = 'M5 .75h6L15.25 5v6L11 15.25H5L.75 11V5z';
const SQUARE =
  'M3 .75h10A2.25 2.25 0 0 1 15.25 3v10A2.25 2.25 0 0 1 13 15.25H3A2.25 2.25 0 0 1 .75 13V3A2.25 2.25 0 0 1 3 .75z';
const HATCH = 'M4.2 12.6l8.4-8.4M2.6 9.6l7-7M6.4 13.4l7-7';

/** Drawn on a 16 × 16 field. */
export const glyphs: Record<ShownState, Glyph> = {
  SUCCESS: { fill: DISC, sign: 'M4.9 8.3l2.2 2.2 4.1-4.7' },
  FAILED: { fill: OCTAGON, sign: 'M5.5 5.5l5 5M10.5 5.5l-5 5' },
  UPSTREAM_FAILED: { fill: SQUARE, sign: 'M8 11.8V4.6M5.2 7.2L8 4.4l2.8 2.8' },
  RUNNING: { edge: RING, arc: 'M8 1.75a6.25 6.25 0 0 1 6.25 6.25', sign: 'M6.8 5.7l3.4 2.3-3.4 2.3z', spins: true },
  STARTING: { edge: RING, dashes: '1.5 3.4' },
  QUEUED: { fill: DISC, sign: 'M8 4.6V8l2.4 1.5' },
  SCHEDULED: { edge: RING, sign: 'M8 5v3l2 1.3' },
  NONE: { edge: RING },
  UP_FOR_RETRY: { fill: DISC, sign: 'M11.3 8a3.3 3.3 0 1 1-1-2.35M10.5 3.6v2.2H8.3' },
  UP_FOR_RESCHEDULE: { edge: RING, sign: 'M11 8a3 3 0 1 1-.9-2.15M10.3 4v2H8.3' },
  DEFERRED: { edge: RING, sign: 'M9.8 4.9a3.4 3.4 0 1 0 1.3 5.2a3.9 3.9 0 0 1-1.3-5.2z' },
  SKIPPED: { edge: RING, hatch: HATCH, sign: 'M4.7 9.8c.5-4 5.2-4.6 6.4-1.3M11.3 5.9v2.7H8.7' },
  CANCELLED: { edge: RING, hatch: HATCH, sign: 'M3.7 12.3l8.6-8.6' },
  REMOVED: { edge: RING, dashes: '3 2.6', sign: 'M5.2 8h5.6' },
};
