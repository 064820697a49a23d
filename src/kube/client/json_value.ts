/** What JSON text stands for, before anything is known of it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The value as an object; undefined when it is none. */
export function objectOf(value: unknown): JsonObject | undefined {
  // A plain object's values are unknown, which is what the type says.
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as JsonObject : undefined;
}

/** A member of an object; undefined where there is no object or no such member of its own. */
export function memberOf(value: unknown, name: string): unknown {
  const object = objectOf(value);
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}

/** A text member; empty where there is none. */
export function textMember(value: unknown, name: string): string {
  const member = memberOf(value, name);
  return typeof member === "string" ? member : "";
}

/** A list member; empty where there is none. */
export function listMember(value: unknown, name: string): readonly unknown[] {
  const member = memberOf(value, name);
  return Array.isArray(member) ? member : [];
}

/** The text members of an object. */
export function textMembers(value: unknown): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, member] of Object.entries(objectOf(value) ?? {})) {
    if (typeof member === "string") texts[name] = member;
  }
  return texts;
}
