// The small signs of seats in lists and legend: the same shapes as on the map.
import { TIER_COLOURS } from './paint';

interface Props {
  tier: number;
  accessible?: boolean;
}

export function SeatMark({ tier, accessible }: Props) {
  return (
    <svg viewBox="0 0 16 16" class={`tier-${tier % TIER_COLOURS}`} aria-hidden="true">
      {accessible ? (
        <rect x="1" y="1" width="14" height="14" rx="4" fill="currentColor" />
      ) : (
        <circle cx="8" cy="8" r="7.5" fill="currentColor" />
      )}
    </svg>
  );
}

export function GoneMark() {
  return (
    <svg viewBox="0 0 16 16" class="seat-gone" aria-hidden="true">
      <circle cx="8" cy="8" r="4.5" fill="currentColor" />
    </svg>
  );
}

export function MineMark() {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="7.8" fill="var(--seat-ring)" />
      <circle cx="8" cy="8" r="5" fill="var(--tier-0)" />
    </svg>
  );
}
