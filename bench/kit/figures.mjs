/** Medians, spreads and ratios. A figure is never shown without the spread of its rounds. */

/** @returns {{ median: number, min: number, max: number }} of a list that is not empty */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/**
 * Runs every contestant once per round, in turn, so that a machine that changes its mood changes it
 * for all of them.
 *
 * @param contestants `{ name, run }`; `run` gives one number per key of `units`
 * @param rounds how often, at least 1
 * @param onRound called with (round, name, figures) as they come
 * @returns {Promise<Map<string, Record<string, number>[]>>} the figures of each round, by name
 */
export async function alternate(contestants, rounds, onRound = () => {}) {
  const figures = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, run } of contestants) {
      const found = await run();
      figures.get(name).push(found);
      onRound(round, name, found);
    }
  }
  return figures;
}

/**
 * One row for each contestant: the spread of each figure, and its ratio to the same figure of
 * `reference` in the same round.
 */
export function rowsOf(figures, reference) {
  const base = figures.get(reference);
  return [...figures].map(([name, rounds]) => {
    const row = { name, values: {}, ratios: {} };
    for (const key of Object.keys(rounds[0])) {
      row.values[key] = spread(rounds.map((round) => round[key]));
      if (base === undefined || name === reference) continue;
      const ratios = rounds.map((round, index) => round[key] / base[index][key]);
      // Nothing is a multiple of nothing.
      if (ratios.every(Number.isFinite)) row.ratios[key] = spread(ratios);
    }
    return row;
  });
}
