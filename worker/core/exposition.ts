/**
 * Metrics as text, for whoever scrapes them: OpenMetrics 1.0 where that is asked for, else Prometheus' format 0.0.4.
 * They differ in what a counter's family is called and in how the text ends.
 */

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  /** NaN: there is such a thing, and its value is not known. A counter never is: it has no sample then. */
  readonly value: number;
}

export interface Family {
  /** Without the `_total` that a counter's samples carry. */
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export type ExpositionFormat = "openmetrics" | "prometheus";

export const EXPOSITION_TYPES = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
} as const satisfies Record<ExpositionFormat, string>;

export function exposition(families: readonly Family[], format: ExpositionFormat): string {
  const lines = families.flatMap((family) => {
    const sampled = family.type === "counter" ? `${family.name}_total` : family.name;
    const described = format === "openmetrics" ? family.name : sampled;
    return [
      `# HELP ${described} ${escaped(family.help)}`,
      `# TYPE ${described} ${family.type}`,
      ...family.samples.map(({ labels = {}, value }) => `${sampled}${labelText(labels)} ${valueText(value)}`),
    ];
  });
  return `${[...lines, ...(format === "openmetrics" ? ["# EOF"] : [])].join("\n")}\n`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return pairs.length === 0 ? "" : `{${pairs.join()}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function valueText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
