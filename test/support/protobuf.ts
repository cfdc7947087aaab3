/**
 * Prometheus' protobuf exposition, the only one that carries native histograms: MetricFamily messages of
 * `io.prometheus.client`, each behind its length. As far as counters and histograms need it.
 */
import { boundAt } from "../../protocol/exponential.ts";

export const PROTOBUF_CONTENT_TYPE =
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

type Labels = Readonly<Record<string, string>>;

/** Schema and buckets as Prometheus has them; `counts` from bucket `offset` on, in which (base^offset, base^(offset+1)] lie. */
export interface NativeHistogram {
  readonly labels: Labels;
  readonly schema: number;
  readonly zeros: number;
  readonly offset: number;
  readonly counts: readonly number[];
}

export function counterFamily(name: string, metrics: readonly { readonly labels: Labels; readonly value: number }[]) {
  return family(
    name,
    0,
    metrics.map(({ labels, value }) => [...labelFields(labels), ...message(3, double(1, value))]),
  );
}

export function histogramFamily(name: string, histograms: readonly NativeHistogram[]): Buffer {
  return family(
    name,
    4,
    histograms.map((one) => [...labelFields(one.labels), ...message(7, histogram(one))]),
  );
}

function histogram({ schema, zeros, offset, counts }: NativeHistogram): number[] {
  const total = counts.reduce((sum, count) => sum + count, zeros);
  // Middles of buckets: nothing is made of the sum but a mean.
  const sum = counts.reduce((all, count, i) => all + count * boundAt(schema, offset + i + 0.5), 0);
  const deltas = counts.flatMap((count, i) => varint(13, zigzag(count - (counts[i - 1] ?? 0))));
  // Prometheus numbers a bucket by its upper bound, one above ours.
  const span = message(12, [...varint(1, zigzag(offset + 1)), ...varint(2, counts.length)]);
  const head = [...varint(1, total), ...double(2, sum), ...varint(5, zigzag(schema)), ...double(6, 2 ** -128)];
  return [...head, ...varint(7, zeros), ...span, ...deltas];
}

function family(name: string, type: number, metrics: readonly (readonly number[])[]): Buffer {
  const fields = [...text(1, name), ...varint(3, type), ...metrics.flatMap((metric) => message(4, metric))];
  return Buffer.from([...base128(fields.length), ...fields]);
}

function labelFields(labels: Labels): number[] {
  return Object.entries(labels).flatMap(([name, value]) => message(1, [...text(1, name), ...text(2, value)]));
}

function base128(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return [...bytes, left];
}

function varint(field: number, value: number): number[] {
  return [...base128(field * 8), ...base128(value)];
}

function double(field: number, value: number): number[] {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return [...base128(field * 8 + 1), ...bytes];
}

function message(field: number, bytes: readonly number[]): number[] {
  return [...base128(field * 8 + 2), ...base128(bytes.length), ...bytes];
}

function text(field: number, value: string): number[] {
  return message(field, [...Buffer.from(value)]);
}

/** Small numbers of both signs as small ones. */
function zigzag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1;
}
