/** Taking a half-built or a running node down: what fails must not keep the rest standing. */

type Step = () => unknown;

/**
 * Carries out each step in order, whatever happens to the others.
 * @throws the first step's error that there was, after the last step
 */
export async function allSteps(steps: readonly Step[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
