import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { schemaText } from "../../src/config/json-schema.js";
import { unwrap } from "../../src/config/leaf.js";
import { configSchema } from "../../src/config/schema.js";

const root = new URL("../../", import.meta.url);

/** Paths of all keys as the manual writes them: `links[].port`. */
function keysOf(schema: z.ZodType, path = ""): string[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) return keysOf(inner.element as z.ZodType, `${path}[]`);
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).flatMap(([key, value]) => {
    const at = path === "" ? key : `${path}.${key}`;
    return [at, ...keysOf(value as z.ZodType, at)];
  });
}

test("schema.json is what the code says; made by `npm run schema`", () => {
  expect(readFileSync(new URL("schema.json", root), "utf8")).toBe(schemaText());
});

test("docs/CONFIG.md has every key and no other", () => {
  const manual = readFileSync(new URL("docs/CONFIG.md", root), "utf8");
  const written = [...manual.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
  const leaves = keysOf(configSchema).filter(
    (key, _, all) =>
      !all.some((other) => other.startsWith(`${key}.`) || other.startsWith(`${key}[]`)),
  );
  expect(leaves.length).toBeGreaterThan(30);
  expect(written.toSorted()).toEqual(leaves.toSorted());
});

test("docs/CONFIG.md has the default and the bounds of every number", () => {
  const manual = readFileSync(new URL("docs/CONFIG.md", root), "utf8");
  const { properties } = JSON.parse(schemaText());
  const sections = { timing: properties.timing, dataplane: properties.dataplane };
  for (const [section, { properties: keys }] of Object.entries(sections)) {
    for (const [key, rule] of Object.entries<Record<string, unknown>>(keys)) {
      if (rule.type !== "integer") continue;
      const row = manual.split("\n").find((line) => line.startsWith(`| \`${section}.${key}\` |`));
      expect(row).toContain(`| ${rule.default} | ${rule.minimum}..${rule.maximum} |`);
    }
  }
});

test("docs/DEPENDENCIES.md has a line for every package of package.json", () => {
  const manual = readFileSync(new URL("docs/DEPENDENCIES.md", root), "utf8");
  const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  expect(names.filter((name) => !manual.includes(`| \`${name}\` |`))).toEqual([]);
});
