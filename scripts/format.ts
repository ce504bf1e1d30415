// npm run format: lets prettier rewrite what is not in its style.
import { tool } from "./test/tool.ts";

const { status, output } = await tool("prettier", ["--write", "--log-level=warn", "."]);
process.stderr.write(output);
process.exitCode = status;
