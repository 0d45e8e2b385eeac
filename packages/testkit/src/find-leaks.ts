import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Where a value stands that must stand nowhere, in any way that programs write values. An empty list means that it was not found. */
export function findLeaks(places: Record<string, string>, canaries: Record<string, string>): { where: string; canary: string }[] {
  return Object.entries(places).flatMap(([where, text]) =>
    Object.entries(canaries)
      .filter(([, value]) => writtenAs(value).some((written) => text.includes(written)))
      .map(([canary]) => ({ where, canary })),
  );
}

function writtenAs(value: string): string[] {
  const bytes = Buffer.from(value);
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value)).slice(3, -3),
    encodeURIComponent(value),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
  ];
}

/** All that lies in a folder and below, as one text of Latin characters: whatever a program wrote in the clear is found in it. */
export function textOfFiles(folder: string): string {
  return files(folder)
    .map((file) => readFileSync(file, 'latin1'))
    .join('\n');
}

/** As `findLeaks`, file by file, for folders that are too large for one text. */
export function findLeaksInFiles(folder: string, canaries: Record<string, string>): { where: string; canary: string }[] {
  return files(folder).flatMap((file) => findLeaks({ [path.relative(folder, file)]: readFileSync(file, 'latin1') }, canaries));
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}
