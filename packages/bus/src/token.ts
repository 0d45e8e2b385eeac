/** Can this be one token of a NATS subject and part of a consumer's name, with no meaning of its own there? */
export function isToken(value: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(value);
}
