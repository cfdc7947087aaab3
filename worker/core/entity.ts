/**
 * Whether a client has what it would be sent: RFC 9110 13.1.2. A list of tags, any of them weak, or "*". A list that
 * cannot be read matches nothing, so that it costs a body and never an answer.
 */
export function entityMatches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return [...ifNoneMatch.matchAll(/(?:^|,)\s*(?:W\/)?("[^"]*")\s*(?=,|$)/g)].some(([, tag]) => tag === etag);
}
