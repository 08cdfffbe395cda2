const SUITES = new Set(["describe", "it", "context", "specify", "suite", "test"]);

/** A test that runs alone hides all others. */
export const noOnlyTests = {
  meta: { type: "problem", schema: [], messages: { only: "Remove .only: it keeps all other tests from running." } },
  create: (context) => ({
    MemberExpression(node) {
      if (!SUITES.has(node.object.name)) return;
      const property = node.computed ? node.property.value : node.property.name;
      if (property === "only") context.report({ node: node.property, messageId: "only" });
    },
  }),
};
