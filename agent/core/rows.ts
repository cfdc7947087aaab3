/**
 * An answer of Prometheus, cut into its rows while it arrives. Parsed as a whole, the buckets of 500 services are 2 MB of
 * text and twice that of objects, and several answers may be under way: row by row none of it is held.
 */

const [QUOTE, COMMA, BACKSLASH, BRACKET, BRACKET_END, BRACE, BRACE_END] = [34, 44, 92, 91, 93, 123, 125];
/** Inside of this many brackets stand the rows: of the answer, its data, and their result. */
const ROWS_DEPTH = 3;

export class RowCutter {
  #depth = 0;
  /** Whether what is at `ROWS_DEPTH` is a list. */
  #isList = false;
  #isText = false;
  #isEscaped = false;
  #isRow = false;
  #isAfterRow = false;
  #row = "";
  #frame = "";

  /** The rows that end in this piece of the answer, as JSON. */
  take(piece: string): readonly string[] {
    const rows: string[] = [];
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const code = piece.charCodeAt(i);
      if (this.#isText) this.#inText(code);
      else if (code === QUOTE) this.#isText = true;
      else if (code === BRACE || code === BRACKET) {
        if (code === BRACE && this.#depth === ROWS_DEPTH && this.#isList) {
          this.#frame += piece.slice(from, i);
          [this.#isRow, from] = [true, i];
        }
        this.#depth++;
        if (this.#depth === ROWS_DEPTH) this.#isList = code === BRACKET;
      } else if (code === BRACE_END || code === BRACKET_END) {
        this.#depth--;
        if (!this.#isRow || this.#depth !== ROWS_DEPTH) continue;
        rows.push(this.#row + piece.slice(from, i + 1));
        [this.#isRow, this.#isAfterRow, this.#row, from] = [false, true, "", i + 1];
      } else if (code === COMMA && this.#isAfterRow && this.#depth === ROWS_DEPTH) {
        this.#frame += piece.slice(from, i);
        [this.#isAfterRow, from] = [false, i + 1];
      }
    }
    if (this.#isRow) this.#row += piece.slice(from);
    else this.#frame += piece.slice(from);
    return rows;
  }

  /** The answer as JSON without its rows, and without the commas behind them. */
  frame(): string {
    return this.#frame;
  }

  #inText(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === BACKSLASH) this.#isEscaped = true;
    else if (code === QUOTE) this.#isText = false;
  }
}
