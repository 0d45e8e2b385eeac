/** The mark: what comes in from two sides goes out as one. */
export function Logo({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" aria-hidden>
      <rect width="24" height="24" rx="6" fill="var(--mantine-primary-color-filled)" />
      <path d="M5 7.5c4.2 0 5 4.5 7.2 4.5M5 16.5c4.2 0 5-4.5 7.2-4.5m0 0H19" stroke="#fff" strokeWidth="2" strokeLinecap="round" />
      <circle cx="18.5" cy="12" r="2" fill="#fff" />
    </svg>
  );
}
