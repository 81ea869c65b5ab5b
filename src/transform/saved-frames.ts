/** Which functions have frames on a suspended stack: for whoever wants to know where a guest waits. */

import { FLAGS, FRAME_SIZE_OFFSET } from "./frame-layout.ts";
import { END, NEXT } from "./stack-areas.ts";

/**
 * Numbers of the resume copies of all frames in an area that is not in use, the innermost first. The picture in stack-areas.ts shows
 * how frames and segments lie in it.
 */
export function framesInArea(memory: WebAssembly.Memory, area: number): number[] {
  const view = new DataView(memory.buffer, area >>> 0);
  const numbers: number[] = [];
  let next = view.getUint32(NEXT, true);
  let end = view.getUint32(END, true);
  // The link behind the oldest segment leads to the header.
  while (end !== END) {
    for (let frame = next; frame < end; frame += view.getUint32(frame + FRAME_SIZE_OFFSET, true) & ~FLAGS) {
      numbers.push(view.getUint32(frame, true));
    }
    next = view.getUint32(end, true);
    end = view.getUint32(end + 4, true);
  }
  return numbers;
}
