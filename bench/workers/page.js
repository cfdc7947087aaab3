/** The baseline of a page: the same bytes, from a constant. */
import body from "page.html";

export default {
  fetch() {
    return new Response(body, { headers: { "content-type": "text/html; charset=utf-8" } });
  },
};
