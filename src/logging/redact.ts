const hidden = "[redacted]";

/** `authorization: …`, `"authorization":"…"`, `authorization:[…]`, with or without a scheme, also inside a JSON string. */
const authorizationValue =
  /(authorization(?:\\?["'])?\s*[:=]\s*\[?(?:\\?["'])?)((?:(?:bearer|basic|digest|negotiate|token)\s+)?[^\s"'\\,;}\]]+)/gi;

/** A bearer token after its scheme, but not the words "bearer token" in a sentence. */
const bearerToken = /\b(bearer\s+)(?!\[|(?:tokens?|auth\w*)\b)[\w\-.~+/]+=*/gi;

/** A JSON web token, which is what Kubernetes' service account tokens are. */
const webToken = /\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g;

const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?=")|$)/g;

/** One cheap look before the four expressions run: most lines hold nothing of the kind. */
const suspicious = /authorization|bearer|eyJ|PRIVATE KEY/i;

/** Names of properties whose values are secrets; paths of files that hold secrets are not. */
const secretName = /(?:^|[-_.])(?:authorization|password|secret|token)$|(?:Authorization|Password|Secret|Token)$/i;

/**
 * Hides credentials in a line that is about to be written: authorization values, bearer tokens, JSON web tokens and
 * private keys. A last defence only: callers must not log secrets in the first place.
 */
export function redact(line: string): string {
  if (!suspicious.test(line)) return line;
  return line
    .replace(authorizationValue, `$1${hidden}`)
    .replace(bearerToken, `$1${hidden}`)
    .replace(webToken, hidden)
    .replace(privateKey, hidden);
}

/** A property's value, hidden when the property's name says that it is a secret; a boolean, such as a flag's, is none. */
export function redactProperty(name: string, value: unknown): unknown {
  return typeof value !== "boolean" && secretName.test(name) ? hidden : value;
}
