/** Short texts in the memory of an engine: a decoder of the platform takes longer to be called than they take to be read. */

/** The letters from `address` on; `undefined` where one of them is none of ASCII. */
export function asciiText(bytes: Uint8Array, address: number, length: number): string | undefined {
  let text = "";
  for (let at = address; at < address + length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
