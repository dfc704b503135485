/** Numbers as a person writes them into a field. */

/** The bytes of what a person wrote, 0 for nothing, or null if it is no number. */
export function parseRate(amount: string, unit: number): number | null {
  const trimmed = amount.trim().replace(",", ".");
  if (trimmed === "") return 0;
  if (!/^\d+(\.\d+)?$/.test(trimmed)) return null;
  const value = Math.round(Number(trimmed) * unit);
  return Number.isSafeInteger(value) ? value : null;
}

/** The number and the unit for some bytes. */
export function splitRate(value: number): { amount: string; unit: number } {
  const unit = value >= 1024 ** 2 ? 1024 ** 2 : 1024;
  return { amount: value === 0 ? "" : String(Math.round((value / unit) * 100) / 100), unit };
}

/** The count of what a person wrote, 0 for nothing, or null if it is none. */
export function parseCount(written: string): number | null {
  const trimmed = written.trim();
  if (trimmed === "") return 0;
  const value = Number(trimmed);
  return /^\d+$/.test(trimmed) && value <= 0xffff_ffff ? value : null;
}
