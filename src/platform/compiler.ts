/**
 * How V8 compiles the packet loop. It inlines only so many bytes of bytecode into one function; the
 * way of a packet is longer than the default allows (460 for one function, 920 in all), so that a
 * part of it would stay calls. Flags of the process, read whenever a function is compiled.
 */
import { setFlagsFromString } from "node:v8";

/** Bytes of bytecode that one inlined function may have, and all that go into one function. */
const FLAGS = ["--max-inlined-bytecode-size=1000", "--max-inlined-bytecode-size-cumulative=4000"];

/** Lets the compiler put the whole loop into one piece of code; before the loop runs. */
export function inlineMore(): void {
  for (const flag of FLAGS) setFlagsFromString(flag);
}
