/**
 * Which Ed25519 public keys may be used. WebCrypto takes small-order points, for which one constant signature verifies
 * a share of all messages; both sides refuse them, and every encoding that is not the canonical one.
 */
const PUBLIC_KEY_BYTES = 32;

const FIELD = 2n ** 255n - 19n;
/** The y coordinates of the eight points of small order (RFC 8032's curve; listed in libsodium's `ge25519_has_small_order`). */
const SMALL_ORDER_Y: readonly bigint[] = [
  0n,
  1n,
  FIELD - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
];

/** Whether 32 raw bytes are a canonical encoding of a point that is not of small order. */
export function isUsablePublicKey(bytes: Uint8Array): boolean {
  if (bytes.length !== PUBLIC_KEY_BYTES) return false;
  const y = bytes.reduceRight((value, byte, i) => (value << 8n) | BigInt(i === 31 ? byte & 0x7f : byte), 0n);
  return y < FIELD && !SMALL_ORDER_Y.includes(y);
}
