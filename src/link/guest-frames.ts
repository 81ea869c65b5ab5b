/** Which functions of a guest an engine names in the text of a stack. */

const MAX_FRAMES = 30;

/** Functions that this library has added. */
const OURS = /^(enter |await |import stackful:|\[stackful\])/;

/** `    at name (wasm://wasm/module-1a2b3c4d:wasm-function[12]:0x345)`, or without a name. */
const FRAME = /^\s+at (?:(?:async )?(.+?) \()?wasm:\/\/[^\s)]*?wasm-function\[(\d+)\]/;

/** The innermost first; the last one says how many more there are. Functions without a name are `function 12`. */
export function guestFrames(stack: string): string[] {
  const frames = stack.split("\n").flatMap((line) => {
    const [found, name, index] = FRAME.exec(line) ?? [];
    // V8 puts the name of the module before that of the function, and instead of it if it has none.
    const plain = name?.replace(/^\S*?\.wasm(\.|$)/, "") ?? "";
    return found === undefined || OURS.test(plain) ? [] : [plain === "" ? `function ${index}` : plain];
  });
  const shown = frames.slice(0, MAX_FRAMES);
  return frames.length > MAX_FRAMES ? [...shown, `… ${frames.length - MAX_FRAMES} more`] : shown;
}
