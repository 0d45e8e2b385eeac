/** What the language's library takes from its host, in place of a browser's: the time is when the message was received. */
import { now as receivedAt } from '@vrsky/sdk/vrsky';

export namespace Date {
  export function now(): f64 {
    return receivedAt();
  }
}

/** `JSMath`, the host's functions: there are none. */
export namespace Math {}
