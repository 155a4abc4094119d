/** Writes schema.json, the JSON Schema of a configuration file, from the compiled program. */
import { writeFileSync } from "node:fs";
import { schemaText } from "../dist/config/json-schema.js";

writeFileSync(new URL("../schema.json", import.meta.url), schemaText());
