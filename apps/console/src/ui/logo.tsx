// A capstan seen from above: six bars around a drum.
export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" fill="#0d7377" />
      <g stroke="#fff" strokeWidth="2.6" strokeLinecap="round">
        <path d="M16 5.5v21M6.9 10.75l18.2 10.5M25.1 10.75 6.9 21.25" />
      </g>
      <circle cx="16" cy="16" r="5.4" fill="#0d7377" stroke="#fff" strokeWidth="2.6" />
    </svg>
  );
}
