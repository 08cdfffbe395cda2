import type { RebuildContext } from "../context";

/** Switches readers to the new generation by one statement. */
export async function activating({ services, session, report }: RebuildContext): Promise<void> {
  const { generation } = session.generation;
  await services.store.activate(generation, { keepOld: session.record.keepOld });
  report.say(`generation ${generation} is active`);
  await session.update({ phase: "retiring" });
  await session.reload();
}
