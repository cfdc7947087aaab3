/**
 * The fonts of pictures that are compared. A machine draws text with the fonts that it has and as its fontconfig says;
 * Chromium with this environment has these fonts only, from packages that the lockfile pins, for every family that a
 * style may ask for, and draws them without hints.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Latin first: what it lacks is taken from the next. */
const FONTS = [
  ["Inter", "@expo-google-fonts/inter"],
  ["Noto Sans Arabic", "@expo-google-fonts/noto-sans-arabic"],
] as const;
const WEIGHTS = ["400Regular", "600SemiBold", "700Bold"];

export interface PinnedFonts {
  /** Of the browser's process. */
  readonly env: Readonly<Record<string, string>>;
  remove(): void;
}

export function pinFonts(): PinnedFonts {
  const folder = mkdtempSync(join(tmpdir(), "observatory-fonts-"));
  const file = join(folder, "fonts.conf");
  writeFileSync(file, configuration(join(folder, "cache")));
  return { env: { FONTCONFIG_FILE: file }, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** fonts-conf(5). A family that is asked for by name and is not there is followed by ours. */
function configuration(cache: string): string {
  const { resolve } = createRequire(import.meta.url);
  const folders = FONTS.flatMap(([, name]) => {
    const folder = dirname(resolve(`${name}/package.json`));
    return WEIGHTS.map((weight) => `<dir>${join(folder, weight)}</dir>`);
  });
  const families = FONTS.map(([family]) => `<string>${family}</string>`).join("");
  return `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
${folders.join("\n")}
<cachedir>${cache}</cachedir>
<match target="pattern"><edit name="family" mode="append_last">${families}</edit></match>
<match target="font"><edit name="antialias"><bool>true</bool></edit><edit name="hinting"><bool>false</bool></edit><edit name="rgba"><const>none</const></edit></match>
</fontconfig>
`;
}
