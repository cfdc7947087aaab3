/** How a file names a component from elsewhere in it: by what people call it, where that is one. */
import type { AnnounceRefusal } from "../announce.ts";
import { componentNamed } from "../announce.ts";
import type { Component } from "../component.ts";

/** Null if it is gone. */
export function referTo(id: string, components: readonly Component[]): string | null {
  const found = components.find((one) => one.id === id);
  if (found === undefined) return null;
  const name = found.group === null ? found.name : `${found.group} / ${found.name}`;
  return componentNamed(name, components).ok ? name : id;
}

export function refusalWords({ code, which }: AnnounceRefusal): string {
  return code === "ambiguous_component"
    ? `"${which}" may be several components: say "group / name", or an id`
    : `there is no component "${which}"`;
}
