import assert from "node:assert/strict";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { Repository } from "../docs/repository";
import { BANNED_PHRASES, PHRASE_EXCEPTIONS } from "./bannedPhrases";
import { findPhrases, isScanned } from "./findPhrases";

/** The list itself, and the test of the scanner. */
const LISTS = /^test\/lint\/(bannedPhrases|findPhrases\.test|phrases\.test)\.ts$/;

describe("Texts of the repository", () => {
  const repository = new Repository(repositoryRoot);
  const hits = repository.files
    .filter((file) => isScanned(file) && !LISTS.test(file))
    .flatMap((file) => findPhrases(file, repository.read(file), BANNED_PHRASES).map((hit) => ({ ...hit, file })));
  const isException = (hit: { file: string; phrase: string }): boolean =>
    PHRASE_EXCEPTIONS.some(({ file, phrase }) => file === hit.file && phrase === hit.phrase);

  it("use no banned phrase in comments, messages and pages", () => {
    const problems = hits
      .filter((hit) => !isException(hit))
      .map(
        ({ file, line, phrase, banned }) =>
          `${file}:${line}: "${phrase}": ${banned.reason}; write: ${banned.suggestion}`,
      );
    assert.equal(problems.length, 0, `\n${problems.join("\n")}\n`);
  });

  it("need every exception to the banned phrases", () => {
    const unused = PHRASE_EXCEPTIONS.filter(
      ({ file, phrase }) => !hits.some((hit) => hit.file === file && hit.phrase === phrase),
    );
    assert.deepEqual(unused, []);
  });
});
