import { main } from "../exhaustive.js";

process.exitCode = main(process.argv.slice(2));
