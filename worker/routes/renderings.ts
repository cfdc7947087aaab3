/** The kinds of public documents, by what their readers may do with them. */
import type { DocumentKind } from "../../web/view/document.ts";
import { documentHeaders } from "./document.ts";
import type { PublicView, Render } from "./serve.ts";

/** A page ages in its reader's hands, so an old one is honest. Null: there is no such page. */
export function htmlPage(
  html: (view: PublicView) => string | null,
  needs: Render["needs"] = {},
  kind: DocumentKind = "page",
): Render {
  return {
    agesWell: true,
    needs,
    isSpoken: true,
    render: (view) => {
      const body = html(view);
      return body === null ? null : { body, headers: documentHeaders(kind, view.brandHash) };
    },
  };
}

/** A document for programs of any site; it is taken at its word. Null: there is no such document. */
export function jsonDocument(document: (view: PublicView) => object | null, needs: Render["needs"] = {}): Render {
  return {
    agesWell: false,
    needs,
    render: (view) => {
      const body = document(view);
      return body === null ? null : { body: JSON.stringify(body), headers: JSON_HEADERS };
    },
  };
}

const JSON_HEADERS = {
  "content-type": "application/json; charset=utf-8",
  "access-control-allow-origin": "*",
  "x-content-type-options": "nosniff",
};

/** Opened by itself a picture is a document: nothing but its own style may run in it. */
export const PICTURE_HEADERS = {
  "content-type": "image/svg+xml; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  "cross-origin-resource-policy": "cross-origin",
  "access-control-allow-origin": "*",
  "x-content-type-options": "nosniff",
};
