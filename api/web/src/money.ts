// Prices as the server writes them: whole amounts without decimals, the currency's own minor unit.

export function money(minor: number, currency: string): string {
  const style = new Intl.NumberFormat('en-US', {
    style: 'currency',
    currency,
    currencyDisplay: 'narrowSymbol',
    trailingZeroDisplay: 'stripIfInteger',
  });
  const digits = style.resolvedOptions().maximumFractionDigits ?? 2;
  return style.format(minor / 10 ** digits);
}
