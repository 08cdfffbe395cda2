import assert from "node:assert/strict";
import { javaProblem, missingPrerequisites, nodeProblem } from "./toolchain";

describe("toolchain", () => {
  it("accepts Node 20, 22 and 24 and names any other", () => {
    for (const good of ["20.19.0", "22.12.0", "24.1.0"]) assert.equal(nodeProblem(good), undefined);
    for (const bad of ["18.20.0", "21.0.0", "25.0.0"]) assert.match(nodeProblem(bad) ?? "", new RegExp(bad));
  });

  it("accepts Java 17 and newer", () => {
    assert.equal(javaProblem('openjdk version "17.0.9" 2023-10-17'), undefined);
    assert.equal(javaProblem('openjdk version "21" 2023-09-19'), undefined);
    assert.match(javaProblem('java version "1.8.0_392"') ?? "", /found 8:/);
    assert.match(javaProblem('openjdk version "11.0.2"') ?? "", /found 11:/);
    assert.match(javaProblem(undefined) ?? "", /found none/);
  });

  it("reports all that is missing at once, each with how to get it", async () => {
    const { PATH, JAVA_HOME } = process.env;
    process.env.PATH = "/nonexistent";
    delete process.env.JAVA_HOME;
    try {
      const problems = (await missingPrerequisites()).join("\n");
      for (const wanted of [/^Java .*apt-get/m, /^Python .*apt-get/m, /^Maven .*apt-get/m])
        assert.match(problems, wanted);
    } finally {
      process.env.PATH = PATH;
      if (JAVA_HOME !== undefined) process.env.JAVA_HOME = JAVA_HOME;
    }
  });
});
