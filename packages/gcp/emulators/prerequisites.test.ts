import assert from "node:assert/strict";
import { javaProblem, missingPrerequisites } from "./prerequisites";

describe("prerequisites", () => {
  it("accept Java 17 and newer", () => {
    assert.equal(javaProblem('openjdk version "17.0.9" 2023-10-17'), undefined);
    assert.equal(javaProblem('openjdk version "21" 2023-09-19'), undefined);
    assert.match(javaProblem('java version "1.8.0_392"') ?? "", /version 8 is installed:/);
    assert.match(javaProblem('openjdk version "11.0.2"') ?? "", /version 11 is installed:/);
    assert.match(javaProblem(undefined) ?? "", /Java is not installed/);
  });

  it("report all missing programs at once, with installation instructions", async () => {
    const { PATH, JAVA_HOME } = process.env;
    process.env["PATH"] = "/nonexistent";
    delete process.env["JAVA_HOME"];
    try {
      const problems = (await missingPrerequisites()).join("\n");
      for (const wanted of [/^Java .*apt-get/m, /^Python .*apt-get/m, /^Maven .*apt-get/m])
        assert.match(problems, wanted);
    } finally {
      process.env["PATH"] = PATH;
      if (JAVA_HOME !== undefined) process.env["JAVA_HOME"] = JAVA_HOME;
    }
  });
});
