/** The JSON Schema of a configuration, for editors; `shardwall check` also knows relations. */
import { z } from "zod";
import { configSchema } from "./schema.js";

/** Text of schema.json, which a test compares with the file. */
export function schemaText(): string {
  const schema = z.toJSONSchema(configSchema, { io: "input", target: "draft-2020-12" });
  const titled = { title: "shardwall configuration", ...schema };
  return `${JSON.stringify(titled, null, 2)}\n`;
}
