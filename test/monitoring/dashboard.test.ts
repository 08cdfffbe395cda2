import assert from "node:assert/strict";
import { overlap, plotsOf, readDashboard } from "./testing/dashboard";

describe("The dashboard for Grafana", () => {
  const dashboard = readDashboard();
  const plots = plotsOf(dashboard);

  it("has panels with a title, a description, a unit and queries, which use the chosen data source", () => {
    assert.ok(plots.length > 30);
    assert.deepEqual(
      dashboard.templating.list.map(({ name, type }) => [name, type]),
      [["datasource", "datasource"]],
    );
    for (const { title, description = "", datasource, fieldConfig, targets = [] } of plots) {
      assert.ok(title.length > 0 && description.endsWith("."), `${title}: ${description}`);
      assert.equal(datasource?.uid, "${datasource}", title);
      assert.ok(fieldConfig?.defaults.unit, title);
      assert.ok(targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    }
  });

  it("has panels with ids of their own that do not cover each other, within 24 columns", () => {
    const { panels } = dashboard;
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const [i, panel] of panels.entries()) {
      assert.ok(panel.gridPos.x >= 0 && panel.gridPos.x + panel.gridPos.w <= 24, panel.title);
      for (const other of panels.slice(0, i)) {
        assert.ok(!overlap(panel.gridPos, other.gridPos), `${panel.title} covers ${other.title}`);
      }
    }
  });
});
