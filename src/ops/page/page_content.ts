/**
 * What the page shows and is made of, loaded when somebody looks at it: bundles have it in a file beside them, since few
 * processes are ever looked at and all would hold its texts.
 * @module
 */
export { assets } from "./page_assets.ts";
export { pageText, summaryRows } from "./page_shell.tsx";
