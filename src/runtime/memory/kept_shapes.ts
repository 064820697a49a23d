/** So many objects of a kind are kept: the first is made by code that has learnt little yet. */
const mostKept = 3;

const kept = new Map<string, object[]>();

/**
 * Keeps an object, and all that it refers to, for good, where it is one of the first of its kind. When the engine collects its
 * heap it forgets the shapes of which no object lives, and with them the code that it compiled for them: a process that had no
 * tunnel for a moment compiles the way of a tunnel's bytes again, for a tenth and more of the processor time of what follows.
 */
export function keepShape(kind: string, object: object): void {
  const few = kept.getOrInsertComputed(kind, () => []);
  if (few.length < mostKept) few.push(object);
}
