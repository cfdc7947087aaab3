/**
 * Where the members of an object stand in a text of JSON that is read in pieces: those of the objects inside of the
 * outermost one, such as `"a":{…}` and `"b":{…}` in `{"name":1,"services":{"a":{…},"b":{…}}}`. The text must be sound.
 */
const [QUOTE, BACKSLASH, BRACKET, BRACKET_END, BRACE, BRACE_END] = [34, 92, 91, 93, 123, 125];
/** Inside of this many brackets stand the members. */
const DEPTH = 2;

/** From its name's first quote to its value's last bracket, bytes of the text; `nameTo` is behind the name's last quote. */
export interface Member {
  readonly from: number;
  readonly nameTo: number;
  readonly to: number;
}

export class MemberFinder {
  readonly members: Member[] = [];
  #at = 0;
  #depth = 0;
  #isText = false;
  #isEscaped = false;
  #from: number | null = null;
  #nameTo: number | null = null;

  /** The next piece of the text in UTF-8, in which no byte of a longer character is one of those looked for. */
  take(piece: Uint8Array): void {
    for (let i = 0; i < piece.length; i++) {
      const code = piece[i] ?? 0;
      if (this.#isText) this.#inText(code, this.#at + i);
      else if (code === QUOTE) {
        this.#isText = true;
        if (this.#depth === DEPTH) this.#from ??= this.#at + i;
      } else if (code === BRACE || code === BRACKET) this.#depth++;
      else if (code === BRACE_END || code === BRACKET_END) this.#leave(this.#at + i);
    }
    this.#at += piece.length;
  }

  #inText(code: number, at: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === BACKSLASH) this.#isEscaped = true;
    else if (code === QUOTE) {
      this.#isText = false;
      if (this.#depth === DEPTH) this.#nameTo ??= at + 1;
    }
  }

  #leave(at: number): void {
    this.#depth--;
    if (this.#depth !== DEPTH || this.#from === null || this.#nameTo === null) return;
    this.members.push({ from: this.#from, nameTo: this.#nameTo, to: at + 1 });
    [this.#from, this.#nameTo] = [null, null];
  }
}
