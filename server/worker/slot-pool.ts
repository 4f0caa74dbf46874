import type { Dispatch } from '#sdk/protocol.ts';
import type { SlotPool } from './worker-api.ts';

export interface ClosableSlotPool extends SlotPool {
  /** From now on no slot is given out. */
  close(): void;
  open(): void;
  isOpen(): boolean;
  /** Nothing runs, and no answer that may bring something is awaited. */
  isIdle(): boolean;
}

export interface SlotPoolDeps {
  size: number;
  onDispatch(dispatch: Dispatch): void;
  /** All slots are free (again). */
  onIdle(): void;
}

/** Counts a worker's free slots; whoever takes them owns them until they come back with the dispatches that fill them. */
export function createSlotPool({ size, onDispatch, onIdle }: SlotPoolDeps): ClosableSlotPool {
  let free = size;
  let open = true;
  return {
    take() {
      const taken = open ? free : 0;
      free -= taken;
      return taken;
    },
    deliver(dispatches, reserved) {
      free += reserved - dispatches.length;
      dispatches.forEach(onDispatch);
      if (free === size) onIdle();
    },
    close() {
      open = false;
    },
    open() {
      open = true;
    },
    isOpen: () => open,
    isIdle: () => free === size,
  };
}
