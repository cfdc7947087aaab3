/** Somebody before a browser without a mouse. */
import type { Locator, Page } from "playwright-core";

/** More than any page here has to stop at. */
const STOPS_MAX = 150;
const CHOICES_MAX = 12;

type Role = "button" | "checkbox" | "combobox" | "link" | "textbox";

/** Goes by the tabulator alone, sees that a ring shows where it is, and counts what it takes. */
export class Keyboard {
  readonly page: Page;
  readonly #withinMs: number;
  /** Presses that do something, where a hand would click. */
  acts = 0;
  /** How often the tabulator was pressed. */
  stops = 0;

  constructor(page: Page, withinMs: number) {
    this.page = page;
    this.#withinMs = withinMs;
  }

  /** Starts to count anew. */
  begin(): void {
    this.acts = 0;
    this.stops = 0;
  }

  /** Goes to the first that has this role and name, waiting for it where it has to come first. */
  async reach(role: Role, name: string | RegExp): Promise<Locator> {
    const wanted = this.page.getByRole(role, { name }).first();
    await this.#reach(wanted, name, (element) => element === document.activeElement);
    return wanted;
  }

  /** Goes to what one types into: with proposals it is a combobox, with numbers a spinbutton. */
  async field(name: string | RegExp): Promise<void> {
    const { page } = this;
    const wanted = page
      .getByRole("textbox", { name })
      .or(page.getByRole("combobox", { name }))
      .or(page.getByRole("spinbutton", { name }));
    await this.#reach(wanted.first(), name, (element) => element === document.activeElement);
  }

  /** Presses it as Enter does. */
  async press(role: "button" | "link", name: string | RegExp): Promise<void> {
    await this.reach(role, name);
    this.acts++;
    await this.page.keyboard.press("Enter");
  }

  async tick(name: string | RegExp): Promise<void> {
    await this.reach("checkbox", name);
    this.acts++;
    await this.page.keyboard.press("Space");
  }

  /** Puts text in the place of what stands there. */
  async type(name: string | RegExp, text: string): Promise<void> {
    await this.field(name);
    await this.page.keyboard.press("ControlOrMeta+A");
    await this.page.keyboard.type(text);
  }

  /** Chooses by the first letters of an option. */
  async choose(name: string | RegExp, letters: string): Promise<void> {
    await this.reach("combobox", name);
    this.acts++;
    await this.page.keyboard.type(letters);
  }

  /** A group is one stop; the arrows go through it. */
  async radio(name: string | RegExp): Promise<void> {
    const wanted = this.page.getByRole("radio", { name }).first();
    const isInGroup = (element: Element): boolean => {
      const at = document.activeElement;
      return at instanceof HTMLInputElement && at.type === "radio" && at.name === element.getAttribute("name");
    };
    await this.#reach(wanted, name, isInGroup);
    this.acts++;
    for (let i = 0; !(await wanted.isChecked()); i++) {
      if (i > CHOICES_MAX) throw new Error(`no way to "${String(name)}" by the arrows`);
      await this.page.keyboard.press("ArrowDown");
    }
  }

  async #reach(wanted: Locator, name: string | RegExp, isThere: (element: Element) => boolean): Promise<void> {
    await wanted.waitFor({ timeout: this.#withinMs });
    for (let stops = 0; !(await wanted.evaluate(isThere)); stops++) {
      if (stops > STOPS_MAX) throw new Error(`no way to "${String(name)}" by the keyboard`);
      this.stops++;
      await this.page.keyboard.press("Tab");
    }
    const ring = await wanted.evaluate(() => {
      const at = document.activeElement;
      return at === null ? "none" : getComputedStyle(at).outlineStyle;
    });
    if (ring === "none") throw new Error(`nothing shows that "${String(name)}" has the focus`);
  }
}
