/** Every error is a request too. Prometheus extrapolates, so counts are not whole and may differ in their last digits. */
export function errorsAmongRequests(counts: { readonly requests: number; readonly errors: number }): boolean {
  return counts.errors <= counts.requests * 1.001 + 1e-6;
}
