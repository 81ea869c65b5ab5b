/** Names bytes by what they are. */

/**
 * SHA-256 in hexadecimal; `undefined` where it cannot be computed: browsers do it in secure contexts only, that is, in pages that
 * came through https.
 */
export async function sha256(bytes: BufferSource): Promise<string | undefined> {
  // TypeScript does not know that it may be missing.
  const { subtle } = globalThis.crypto as { readonly subtle?: SubtleCrypto };
  if (!subtle) return undefined;
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
