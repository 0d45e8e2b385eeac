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
