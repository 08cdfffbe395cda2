/** On Node 24 the Beam SDK loads only after the module that patches it, so a module that imports the SDK imports that first. */
export const patchedSdkFirst = {
  meta: {
    type: "problem",
    schema: [],
    messages: { first: 'Import "@eventlogger/beam/sdk" before "{{name}}": it patches the SDK.' },
  },
  create: (context) => ({
    Program({ body }) {
      for (const { type, source, importKind, ...node } of body) {
        if (type !== "ImportDeclaration" || importKind === "type") continue;
        if (/^([./]+(\w+\/)*|@eventlogger\/beam\/)sdk$/.test(source.value)) return;
        if (!/^apache-beam($|\/)/.test(source.value)) continue;
        context.report({ loc: node.loc, messageId: "first", data: { name: source.value } });
        return;
      }
    },
  }),
};
