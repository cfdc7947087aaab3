/**
 * Passkeys on the pages that have a button for them: signing in, confirming, adding one. The browser's own functions
 * turn what the edge asks into what the device understands, and back; where it has none of them the button stays away.
 */
import { say } from "./say.ts";

type Purpose = "sign-in" | "step-up" | "register";

/** Where each asks, and where its answer goes. */
const PLACES: Record<Purpose, readonly [options: string, answer: string]> = {
  "sign-in": ["/admin/sign-in/options", "/admin/sign-in/passkey"],
  "step-up": ["/admin/step-up/options", "/admin/step-up/passkey"],
  register: ["/admin/account/passkeys/options", "/admin/account/passkeys"],
};

interface Question {
  readonly ticket: string;
  readonly publicKey: PublicKeyCredentialCreationOptionsJSON & PublicKeyCredentialRequestOptionsJSON;
}

const button = document.querySelector<HTMLButtonElement>("button[data-passkey]");
const canUse = "PublicKeyCredential" in window && "parseRequestOptionsFromJSON" in PublicKeyCredential;
if (button !== null && canUse) {
  const door = document.getElementById("passkey-door");
  if (door !== null) door.hidden = false;
  button.addEventListener("click", () => void use(button));
}

async function use(pressed: HTMLButtonElement): Promise<void> {
  const purpose = pressed.dataset["passkey"] as Purpose;
  tell("");
  pressed.disabled = true;
  try {
    await run(purpose);
  } catch (error) {
    tell(wordsOf(error));
    pressed.disabled = false;
    pressed.focus();
  }
}

async function run(purpose: Purpose): Promise<void> {
  const [ask, answerTo] = PLACES[purpose];
  const { ticket, publicKey } = await post<Question>(ask, {});
  const credential =
    purpose === "register"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  if (!(credential instanceof PublicKeyCredential)) throw new Error("nothing was chosen");
  const name = document.querySelector<HTMLInputElement>("#passkey-name")?.value ?? "";
  const { next } = await post<{ readonly next?: string }>(answerTo, { ticket, answer: credential.toJSON(), name });
  if (next === undefined) document.querySelector<HTMLFormElement>("#asked")?.submit();
  else location.assign(next);
}

/** What the edge says went wrong, as it says it. */
class Refused extends Error {}

async function post<Answer>(path: string, body: object): Promise<Answer> {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = (await answer.json().catch(() => null)) as
    | (Answer & { readonly error?: { readonly code: string; readonly message: string } })
    | null;
  if (answer.ok && said !== null) return said;
  if (said?.error?.code === "step_up_required") location.assign("/admin/account/confirm");
  throw new Refused(said?.error?.message ?? "The page does not answer. Try again.");
}

function wordsOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  const name = error instanceof DOMException ? error.name : "";
  if (name === "InvalidStateError") return "This device has a passkey for your account already.";
  // The browser does not say which, so that a page cannot find out which passkeys somebody has.
  if (name === "NotAllowedError") return "Nothing was done: it was cancelled, took too long, or no passkey fits.";
  return "This browser could not use a passkey. Try again, or use a link.";
}

function tell(words: string): void {
  const fault = document.getElementById("passkey-fault");
  if (fault !== null) fault.textContent = words;
  if (document.getElementById("say") !== null) say(words);
}
