/**
 * How a Postgres behind HTTP fails. `away`: 503. `hang`: no answer until healed. `garbage`: a proxy answers 200 with
 * something else. `lose_answer`: it commits, then the connection breaks. `late_answer`: it commits, and answers when
 * healed.
 */
export type Fault = "away" | "hang" | "garbage" | "lose_answer" | "late_answer";
