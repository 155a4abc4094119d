/** Runs work in several processes at once: each is given more when it is done. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Plan } from "./plan.js";
import type { Outcome } from "./run.js";
import type { Shrunk } from "./shrink.js";

export type Task =
  | { readonly kind: "run"; readonly plan: Plan; readonly mutant: string }
  | { readonly kind: "shrink"; readonly plan: Plan; readonly mutant: string };

export type Answer =
  | { readonly kind: "run"; readonly outcome: Outcome }
  | { readonly kind: "shrink"; readonly shrunk: Shrunk };

/** Little survives a turn: fewer, larger collections cost less, and no threads to help them. */
const MEMORY = [
  ...["--single-threaded-gc", "--min-semi-space-size=32", "--max-semi-space-size=32"],
];
const MEMBER = fileURLToPath(new URL("./crew-member.js", import.meta.url));

/** Hands tasks out until there are none; `onAnswer` may end it by returning false. */
export async function work(
  jobs: number,
  tasks: Iterator<Task>,
  onAnswer: (answer: Answer, task: Task) => boolean,
): Promise<void> {
  let isOver = false;
  const one = async () => {
    const child = fork(MEMBER, {
      serialization: "advanced",
      execArgv: [...process.execArgv, ...MEMORY],
    });
    try {
      while (!isOver) {
        const next = tasks.next();
        if (next.done) return;
        const answer = await ask(child, next.value);
        if (!isOver && !onAnswer(answer, next.value)) isOver = true;
      }
    } finally {
      child.disconnect();
    }
  };
  await Promise.all(Array.from({ length: jobs }, one));
}

function ask(child: ChildProcess, task: Task): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a process ended with ${code}`));
    child.once("exit", onExit);
    child.once("message", (answer) => {
      child.off("exit", onExit);
      resolve(answer as Answer);
    });
    child.send(task);
  });
}
