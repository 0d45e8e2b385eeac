/** The language's `console`, in place of the one of its library: lines go to the message's log. */
import { logLine } from '@vrsky/sdk/host';

export namespace console {
  export function log(message: string = ''): void {
    logLine(message);
  }

  export function debug(message: string = ''): void {
    logLine(message);
  }

  export function info(message: string = ''): void {
    logLine(message);
  }

  export function warn(message: string = ''): void {
    logLine(message);
  }

  export function error(message: string = ''): void {
    logLine(message);
  }
}
