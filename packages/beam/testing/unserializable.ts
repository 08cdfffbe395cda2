/** DoFns that would not arrive in a worker as they are in the launcher. Only some of the module's classes are exported. */
import "../sdk";
import { stringCoder } from "../index";
import type { BundleDoFn, DoFn } from "../index";
import { registerModule } from "../registerModule";

class Base implements DoFn<string, string> {
  *process(element: string): Iterable<string> {
    yield element;
  }
}

/** The module does not export it. */
class NotExported extends Base {}
export const notExported = (): DoFn<string, string> => new NotExported();

export class WithPrivateField extends Base {
  #count = 0;
  override *process(element: string): Iterable<string> {
    yield `${element}${this.#count++}`;
  }
}

export class InheritsPrivateField extends WithPrivateField {}

export class WithPrivateMethod extends Base {
  override *process(element: string): Iterable<string> {
    yield this.#twice(element);
  }
  #twice(element: string): string {
    return element + element;
  }
}

/** Only the class has a private member, not its instances; and "this.#count" is a text, /* this.#other is a comment *\/. */
export class WithPrivateStatic extends Base {
  static #created = 0;
  readonly text = "this.#count";
  // this.#comment
  constructor() {
    super();
    WithPrivateStatic.#created++;
  }
}

export class WithField extends Base {
  constructor(readonly field: unknown) {
    super();
  }
}

/** A value class that the module exports. */
export class Range {
  constructor(
    readonly from: number,
    readonly to: number,
  ) {}
}

/** A value class that it does not. */
class Hidden {
  readonly name = "hidden";
}
export const hidden = (): object => new Hidden();

/** A function that the module exports. */
export const exported = (text: string): string => text;

export class BundleWithField implements BundleDoFn<string, string> {
  constructor(readonly field: unknown) {}
  process(): void {}
}

export class StatefulWithField {
  constructor(readonly field: unknown) {}
  states(): Record<string, never> {
    return {};
  }
  process(): void {}
}

export const coder = stringCoder;

registerModule(module);
