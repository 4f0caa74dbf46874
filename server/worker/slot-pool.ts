import type { Dispatch } from '#sdk/protocol.ts';
import type { SlotPool } from './worker-api.ts';

export interface ClosableSlotPool extends SlotPool {
  /** From now on no slot is given out. */
  close(): void;
  isOpen(): boolean;
}

/** Counts a worker's free slots; whoever takes them owns them until they come back with the dispatches that fill them. */
export function createSlotPool(size: number, onDispatch: (dispatch: Dispatch) => void): ClosableSlotPool {
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
    },
    close() {
      open = false;
    },
    isOpen: () => open,
  };
}
