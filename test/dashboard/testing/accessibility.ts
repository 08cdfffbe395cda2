import { readFileSync } from "node:fs";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** The rules of WCAG 2.2 at the levels A and AA, and axe's own best practices. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/**
 * The problems that axe finds on a page: rule, element, and what is wrong.
 * @param part selector of the part that is checked @param rules the rules; by default those of the levels above
 */
export async function accessibilityProblems(page: Page, part = "html", rules?: readonly string[]): Promise<string[]> {
  const only = rules ? { type: "rule", values: rules } : { type: "tag", values: TAGS };
  // Through the debugger, to which the security policy of the page does not apply.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run(${JSON.stringify(part)}, { runOnly: ${JSON.stringify(only)} })`,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target.join(" ")}: ${failureSummary ?? ""}`),
  );
}
