import assert from "node:assert/strict";
import { type Ask, digestOf, filesWithImages, imagesIn, pinned } from "../../tools/pin_images.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

/** A registry that wants a token, as Docker's does, and one that does not. */
const ask: Ask = (url, init) => {
  const headers = new Headers(init.headers);
  const answer = (status: number, body: string | null, more: Record<string, string> = {}) =>
    Promise.resolve(new Response(body, { status, headers: more }));
  switch (url) {
    case "https://registry-1.docker.io/v2/denoland/deno/manifests/1.2.3":
      assert.match(headers.get("accept") ?? "", /image\.index/);
      if (headers.get("authorization") === "Bearer good") {
        return answer(200, null, { "docker-content-digest": digest("a") });
      }
      return answer(401, null, {
        "www-authenticate":
          'Bearer realm="https://auth.example/token",service="r",scope="repository:denoland/deno:pull"',
      });
    case "https://auth.example/token?service=r&scope=repository%3Adenoland%2Fdeno%3Apull":
      return answer(200, '{"token":"good"}');
    case "https://gcr.io/v2/distroless/cc/manifests/nonroot":
      return answer(200, null, { "docker-content-digest": digest("b") });
    case "https://gcr.io/v2/distroless/cc/manifests/nonroot-more":
      return answer(200, null, { "docker-content-digest": digest("c") });
    default:
      return answer(404, null);
  }
};

const file = `ARG DENO_VERSION=1.2.3
FROM --platform=$BUILDPLATFORM docker.io/denoland/deno:\${DENO_VERSION} AS build
FROM gcr.io/distroless/cc:nonroot@${digest("0")} AS base
FROM gcr.io/distroless/cc:nonroot-more
FROM base AS proxy-server
`;

Deno.test("each image of another registry gets the digest that its tag has now, also one that had an older", async () => {
  assert.equal(
    await pinned(file, ask),
    `ARG DENO_VERSION=1.2.3
FROM --platform=$BUILDPLATFORM docker.io/denoland/deno:\${DENO_VERSION}@${digest("a")} AS build
FROM gcr.io/distroless/cc:nonroot@${digest("b")} AS base
FROM gcr.io/distroless/cc:nonroot-more@${digest("c")}
FROM base AS proxy-server
`,
  );
});

Deno.test("a tag that there is not is an error, and so is a registry that names no digest", async () => {
  const image = { text: "", registry: "gcr.io", repository: "no/such", tag: "image", digest: undefined };
  await assert.rejects(digestOf(image, ask), /^Error: https:\/\/gcr\.io\/v2\/no\/such\/manifests\/image answered 404/);
});

Deno.test("every image that Containerfile and the workflows name is found, and none of our own", async () => {
  const found = await Promise.all(
    (await filesWithImages()).map(async (path) => imagesIn(await Deno.readTextFile(path))),
  );
  const [containerfile = [], ...workflows] = found;
  const text = await Deno.readTextFile(new URL("../../Containerfile", import.meta.url));
  const foreign = [...text.matchAll(/^FROM .*\.io\//gm)];
  assert.equal(containerfile.length, foreign.length);
  assert.deepEqual(workflows.flat().map(({ repository, tag }) => `${repository}:${tag}`), ["library/debian:12"]);
  for (const { tag } of found.flat()) assert.notEqual(tag, "latest");
});
