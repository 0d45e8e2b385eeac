/** Memory for answers that go on whole: there is so much of it in the process, and so much of that for one customer. */
export interface AnswerRoom {
  /**
   * Calls `onRoom` once there is room for `bytes`, now or later. Answers the function that gives the room back, or ends the waiting for it; call it
   * once.
   */
  ask(customerId: string, bytes: number, onRoom: () => void): () => void;
}

export interface AnswerRoomOptions {
  bytesMax?: number;
  bytesOfCustomerMax?: number;
}

const BYTES_MAX = 134_217_728;
/** A customer whose receivers answer slowly and at length holds up its own answers before those of others. */
const BYTES_OF_CUSTOMER_MAX = 33_554_432;

interface Waiting {
  customerId: string;
  bytes: number;
  onRoom(): void;
}

export function createAnswerRoom({ bytesMax = BYTES_MAX, bytesOfCustomerMax = BYTES_OF_CUSTOMER_MAX }: AnswerRoomOptions = {}): AnswerRoom {
  let taken = 0;
  const takenBy = new Map<string, number>();
  const waiting = new Set<Waiting>();

  const change = (customerId: string, bytes: number): void => {
    taken += bytes;
    const own = (takenBy.get(customerId) ?? 0) + bytes;
    if (own === 0) takenBy.delete(customerId);
    else takenBy.set(customerId, own);
  };
  /** An answer larger than all there is still gets its turn, alone. */
  const hasRoom = ({ customerId, bytes }: Waiting): boolean => {
    const own = takenBy.get(customerId) ?? 0;
    return (own === 0 || own + bytes <= bytesOfCustomerMax) && (taken === 0 || taken + bytes <= bytesMax);
  };
  const admit = (): void => {
    for (const one of waiting) {
      if (taken >= bytesMax) return;
      if (!hasRoom(one)) continue;
      waiting.delete(one);
      change(one.customerId, one.bytes);
      one.onRoom();
    }
  };

  return {
    ask(customerId, bytes, onRoom) {
      const one: Waiting = { customerId, bytes, onRoom };
      if (hasRoom(one)) {
        change(customerId, bytes);
        onRoom();
      } else waiting.add(one);
      return () => {
        if (waiting.delete(one)) return;
        change(customerId, -bytes);
        admit();
      };
    },
  };
}
