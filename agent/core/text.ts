// oxlint-disable-next-line no-control-regex -- control characters are what is replaced
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** A stranger's text (a certificate's name, a server's message) as one printable line of at most `max` UTF-16 units. */
export function plainLine(text: string, max: number): string {
  return text.toWellFormed().replaceAll(UNPRINTABLE, "\ufffd").slice(0, max).toWellFormed();
}
