import { ending } from "../../dist/demo/children.js";

/**
 * Runs a program in a namespace to its end; gives what it wrote. Unlike `lab.exec` it does not stop
 * the clock of the transfers: who stands still reads nothing.
 * @throws Error with what it said where it fails
 */
export async function run(lab, role, argv) {
  const child = lab.spawn(role, argv);
  let told = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      told += text;
    });
  }
  const closed = new Promise((resolve) => child.once("close", resolve));
  const { code } = await ending(child);
  await closed;
  if (code !== 0) throw new Error(`${role}: ${argv.join(" ")}: ${told}`);
  return told;
}
