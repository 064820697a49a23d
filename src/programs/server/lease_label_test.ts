import assert from "node:assert/strict";
import { parseLabels } from "./lease_label.ts";

Deno.test("[server 13.3-3] labels are key=value pairs, trimmed", () => {
  assert.deepEqual([...parseLabels("app=myapp,env=prod,version=1.0")], [
    ["app", "myapp"],
    ["env", "prod"],
    ["version", "1.0"],
  ]);
  assert.deepEqual([...parseLabels("app=myapp")], [["app", "myapp"]]);
  assert.deepEqual([...parseLabels(" key = value , another = test ")], [["key", "value"], ["another", "test"]]);
  assert.deepEqual([...parseLabels("a=1,a=2")], [["a", "2"]]);
  assert.deepEqual([...parseLabels("=")], [["", ""]]);
});

Deno.test("[server 13.3-3] what is no list of labels is refused", () => {
  assert.throws(() => parseLabels(""), { message: "empty string provided" });
  assert.throws(() => parseLabels("app=myapp,env=prod,invalid"), { message: "invalid label format: invalid" });
  assert.throws(() => parseLabels("a=b=c"), { message: "invalid label format: a=b=c" });
});
