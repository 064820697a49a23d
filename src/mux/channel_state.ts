/**
 * Where the sending half of a channel stands: `open` takes data; `finishing` holds data and the packet behind it;
 * `finished` has sent that packet; `dropped` sends nothing more.
 */
export type SendState = "open" | "finishing" | "finished" | "dropped";

/**
 * Where its receiving half stands: `open`; `ending`: the peer has ended its direction, and its last bytes wait here;
 * `ended`: the reader knows. What the peer still sends then is ignored. `over`: nobody takes anything, and what still comes
 * counts as taken.
 */
export type ReceiveState = "open" | "ending" | "ended" | "over";
