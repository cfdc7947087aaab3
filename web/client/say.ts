/** To those who listen to the page. */
export function say(text: string): void {
  (document.getElementById("say") as HTMLElement).textContent = text;
}
