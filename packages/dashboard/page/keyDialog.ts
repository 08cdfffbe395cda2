import { el } from "./elements";

/** Asks for the read key. */
export class KeyDialog {
  readonly element: HTMLDialogElement;
  private readonly input = el("input", {
    type: "password",
    autocomplete: "off",
    required: "",
    id: "read-key",
    spellcheck: "false",
  });
  private readonly problem = el("p", { class: "field-problem", role: "alert" });

  constructor(onKey: (key: string) => void) {
    const form = el(
      "form",
      { method: "dialog" },
      el("h2", { id: "key-title" }, "Read key"),
      el(
        "p",
        {},
        "The numbers of this service need a read key. It is kept until you close this tab, and is not part of links.",
      ),
      el("label", { for: "read-key" }, "Read key"),
      this.input,
      this.problem,
      el("button", { type: "submit", class: "primary" }, "Show the numbers"),
    );
    this.element = el("dialog", { "aria-labelledby": "key-title" }, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const key = this.input.value.trim();
      if (key === "") return;
      this.problem.textContent = "";
      onKey(key);
    });
    // Without a key there is nothing behind the dialog.
    this.element.addEventListener("cancel", (event) => event.preventDefault());
  }

  get isOpen(): boolean {
    return this.element.open;
  }

  /** @param problem what is wrong with the key that was given; undefined when none was */
  ask(problem: string | undefined): void {
    this.problem.textContent = problem ?? "";
    if (!this.element.open) {
      this.input.value = "";
      this.element.showModal();
    }
    this.input.focus();
    this.input.select();
  }

  close(): void {
    this.element.close();
    this.input.value = "";
  }
}
