import { createHash } from "node:crypto";
import columns from "./texts/columns.js" with { type: "text" };
import commonFindings from "./texts/common_findings.js" with { type: "text" };
import connection from "./browser/connection.js" with { type: "text" };
import dom from "./browser/dom.js" with { type: "text" };
import eventTexts from "./texts/event_texts.js" with { type: "text" };
import eventWatch from "./browser/event_watch.js" with { type: "text" };
import feed from "./browser/feed.js" with { type: "text" };
import findings from "./texts/findings.js" with { type: "text" };
import flows from "./browser/flows.js" with { type: "text" };
import headline from "./texts/headline.js" with { type: "text" };
import icon from "./browser/icon.svg" with { type: "text" };
import leaseFindings from "./texts/lease_findings.js" with { type: "text" };
import main from "./browser/main.js" with { type: "text" };
import map from "./browser/map.js" with { type: "text" };
import model from "./browser/model.js" with { type: "text" };
import style from "./browser/page.css" with { type: "text" };
import plot from "./browser/plot.js" with { type: "text" };
import table from "./browser/table.js" with { type: "text" };
import tables from "./browser/tables.js" with { type: "text" };
import tiles from "./browser/tiles.js" with { type: "text" };
import units from "./texts/units.js" with { type: "text" };

/** A file of the page, as it goes to browsers. */
export interface Asset {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  readonly etag: string;
}

const script = "text/javascript; charset=utf-8";

const files: Readonly<Record<string, readonly [text: string, contentType: string]>> = {
  "texts/columns.js": [columns, script],
  "texts/common_findings.js": [commonFindings, script],
  "browser/connection.js": [connection, script],
  "browser/dom.js": [dom, script],
  "texts/event_texts.js": [eventTexts, script],
  "browser/event_watch.js": [eventWatch, script],
  "browser/feed.js": [feed, script],
  "texts/findings.js": [findings, script],
  "browser/flows.js": [flows, script],
  "texts/headline.js": [headline, script],
  "browser/icon.svg": [icon, "image/svg+xml"],
  "texts/lease_findings.js": [leaseFindings, script],
  "browser/main.js": [main, script],
  "browser/map.js": [map, script],
  "browser/model.js": [model, script],
  "browser/page.css": [style, "text/css; charset=utf-8"],
  "browser/plot.js": [plot, script],
  "browser/table.js": [table, script],
  "browser/tables.js": [tables, script],
  "browser/tiles.js": [tiles, script],
  "texts/units.js": [units, script],
};

let made: ReadonlyMap<string, Asset> | undefined;

/** The files of the page by their paths below `/page/`; made when somebody looks at it for the first time. */
export function assets(): ReadonlyMap<string, Asset> {
  made ??= new Map(
    Object.entries(files).map(([name, [text, contentType]]) => {
      const etag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
      return [name, { bytes: new TextEncoder().encode(text), contentType, etag }];
    }),
  );
  return made;
}
