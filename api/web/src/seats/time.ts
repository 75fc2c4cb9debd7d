// Remaining time in figures and in words.

/** `9:05`, `1:02:03`. */
export function remaining(seconds: number): string {
  const two = (number: number) => String(number).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const MOMENTS_S: Record<number, string> = {
  300: 'Five minutes left to pay.',
  120: 'Two minutes left to pay.',
  60: 'One minute left to pay.',
  30: 'Thirty seconds left to pay.',
  10: 'Ten seconds left.',
};

/** What is said aloud at this second, if anything. */
export function spokenAt(seconds: number): string | undefined {
  return MOMENTS_S[seconds];
}
