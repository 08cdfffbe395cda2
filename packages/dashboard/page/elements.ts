type Child = Node | string | undefined;

/** An element with attributes and children. Texts are never parsed as HTML. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** A button that does something. */
export function button(
  attributes: Readonly<Record<string, string>>,
  text: string,
  onClick: () => void,
): HTMLButtonElement {
  const element = el("button", { type: "button", ...attributes }, text);
  element.addEventListener("click", onClick);
  return element;
}

/** A list of choices with its label. */
export class Choice<Value extends string> {
  readonly element: HTMLLabelElement;
  private readonly select = el("select");

  constructor(
    label: string,
    options: readonly (readonly [value: Value, text: string])[],
    onChange: (value: Value) => void,
    attributes: Readonly<Record<string, string>> = {},
  ) {
    this.element = el("label", { class: "choice", ...attributes }, el("span", {}, label), this.select);
    this.offer(options);
    this.select.addEventListener("change", () => {
      const chosen = this.options.find(([value]) => value === this.select.value);
      if (chosen) onChange(chosen[0]);
    });
  }

  private options: readonly (readonly [Value, string])[] = [];

  /** Replaces the options. */
  offer(options: readonly (readonly [value: Value, text: string])[]): void {
    this.element.hidden = options.length === 0;
    if (JSON.stringify(options) === JSON.stringify(this.options)) return;
    const { value } = this.select;
    this.options = options;
    this.select.replaceChildren(...options.map(([name, text]) => el("option", { value: name }, text)));
    this.select.value = value;
  }

  set value(value: Value) {
    this.select.value = value;
  }
}
