/** What a worker is called: it runs the program's own entry module, which gets no arguments there and knows it by this. */
export const workerName = "konnectivity-server-worker";
