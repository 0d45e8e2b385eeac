import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/** Makes a folder and those above it, for us alone. A disk that cannot be written throws EROFS or EACCES (Node's own call may say ENOENT). */
export function makeFolder(dir: string): void {
  let existing = path.resolve(dir);
  while (!existsSync(existing)) existing = path.dirname(existing);
  if (existing !== path.resolve(dir)) accessSync(existing, constants.W_OK | constants.X_OK);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
}
