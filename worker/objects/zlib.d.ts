/** What is used of Node's zlib, which the runtime has from compatibility date 2026-08-04 on. The types of Node would bring all of Node. */
declare module "node:zlib" {
  /** Throws a RangeError once the result is longer than `maxOutputLength`, and an Error if this is not gzip. */
  export function gunzipSync(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Uint8Array;
}
