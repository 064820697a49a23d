/** A number of 0 to below 1, the same sequence each time (a linear congruential generator; quality does not matter here). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}
