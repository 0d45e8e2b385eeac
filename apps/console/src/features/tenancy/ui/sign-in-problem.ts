/** The words for a code that the sign-in answers with, also when it comes back in the address. */
export function signInProblem(code: string | null): string {
  const [name, detail] = (code ?? '').split(':');
  switch (name) {
    case 'SignInLimited':
      return `Too many failed attempts. Wait ${waitWords(Number(detail))}, then try again.`;
    case 'SignInUnavailable':
      return 'The console cannot reach its database at the moment, so nobody can sign in. Messages keep flowing. Try again in a few seconds.';
    case 'SessionRequired':
      return 'Your session has ended. Sign in again.';
    default:
      return 'Email or password is wrong. Check both; an owner or admin of your organisation knows which address is registered.';
  }
}

function waitWords(seconds: number): string {
  if (!(seconds > 0)) return 'a minute';
  return seconds < 90 ? `${Math.ceil(seconds)} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
