/** Metrics with their values, as they are added to the page of one scrape. */
import { Counter, Gauge, type Registry } from "prom-client";

type Labels = Readonly<Record<string, string | number>>;
export type Sample = readonly [value: number, labels?: Labels];

export function gauge(
  registry: Registry,
  name: string,
  help: string,
  samples: readonly Sample[],
): void {
  const labelNames = Object.keys(samples[0]?.[1] ?? {});
  const metric = new Gauge({ name, help, labelNames, registers: [registry] });
  for (const [value, labels] of samples) metric.set({ ...labels }, value);
}

export function counter(
  registry: Registry,
  name: string,
  help: string,
  samples: readonly Sample[],
): void {
  const labelNames = Object.keys(samples[0]?.[1] ?? {});
  const metric = new Counter({ name, help, labelNames, registers: [registry] });
  for (const [value, labels] of samples) metric.inc({ ...labels }, value);
}
