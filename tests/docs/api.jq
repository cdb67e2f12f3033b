# merchant/store/api/openapi.json as a page: every path with its parameters, bodies, answers and
# examples, then every schema, member by member.
def name: split("/")[-1];
def anchor: name | ascii_downcase;
def escape: gsub("\\|"; "\\|");
def range($low; $high; $what):
  if .[$low] != null and .[$high] != null then "\(.[$low]) to \(.[$high])\($what)"
  elif .[$low] != null then "from \(.[$low])\($what)"
  elif .[$high] != null then "up to \(.[$high])\($what)"
  else empty end;
def kind:
  if has("$ref") then "[\(.["$ref"] | name)](#\(.["$ref"] | anchor))"
  elif .type == "array" then
    if has("items") then "list of \(.items | kind)" else "list" end
  else (.type // "object") | if type == "array" then join(" or ") else . end end;
def form:
  [ range("minimum"; "maximum"; ""), range("minLength"; "maxLength"; " characters"),
    range("minItems"; "maxItems"; " of them"),
    (.maxProperties // empty | "up to \(.) members"),
    (.enum // empty | map("`\(.)`") | join(", ")),
    (.pattern // empty | "`\(.)`" | escape),
    (if .format == "date-time" then "RFC 3339, UTC" else empty end),
    (.default // empty | "default `\(.)`"),
    (.description // empty) ] | join("; ");
def members:
  . as $schema
  | "| member | type | there | |\n| --- | --- | --- | --- |\n"
    + ([ .properties | to_entries[]
         | "| `\(.key)` | \(.value | kind) | \(if (.key as $k | $schema.required // [] | index($k)) then "always" else "or not" end) | \(.value | form) |"
       ] | join("\n"));
def example($title): "\($title)\n\n```json\n\(.value | tojson)\n```";
def examples($title): [ .examples // {} | to_entries[] | .value | example(if .summary then "\($title), \(.summary | ascii_downcase):" else "\($title):" end) ] | join("\n\n");
def resolve($root): if has("$ref") then . as $ref | $root | getpath($ref["$ref"] | ltrimstr("#/") | split("/")) else . end;
def body: .content // {} | to_entries[0] // empty;

. as $root
| "# The store's API\n",
  "Made from `merchant/store/api/openapi.json`, which the daemon serves at `/api/v1/openapi.json`, by `make reference`.\n",
  "\(.info.description)\n",
  "Paths are below `\(.servers[0].url)`. How it is used, step by step: [sell from your own store](../how-to/sell-from-your-own-store.md).",
  ( .paths | to_entries[] | .key as $path | .value | to_entries[]
    | .key as $method | .value
    | "\n## \($method | ascii_upcase) \($path)\n\n\(.summary).\(if .security == [] then " No token is needed." else "" end)",
      ( [ .parameters // [] | .[] | resolve($root)
          | "| `\(.name)` | \(.in) | \(if .required then "always" else "or not" end) | \([.schema | (if has("$ref") then kind else empty end), (form | select(. != ""))] + [.description // empty] | join("; ")) |" ]
        | select(length > 0) | "\n| parameter | in | there | |\n| --- | --- | --- | --- |\n" + join("\n") ),
      ( .requestBody // empty
        | "\nBody: "
          + (body.value.schema | if has("oneOf") then [.oneOf[] | kind] | join(" or ") else kind end)
          + ". \(.description)",
          (body.value | examples("For example") | select(. != "") | "\n\(.)") ),
      "\n| status | | body | headers |\n| ---: | --- | --- | --- |",
      ( .responses | to_entries[] | .key as $status | .value | resolve($root)
        | "| \($status) | \(.description) | \(body | if . then (.value.schema | kind) else "" end) | \(.headers // {} | keys | map("`\(.)`") | join(", ")) |" ),
      ( .responses | to_entries[] | .key as $status | select($status < "300") | .value
        | body | .value | examples("Answer \($status)") | select(. != "") | "\n\(.)" ) ),
  "\n# What the bodies hold",
  ( .components.schemas | to_entries[]
    | "\n## \(.key)\n",
      ( .value
        | if has("allOf") then
            "All of " + ([.allOf[] | select(has("$ref")) | kind] | join(", ")) + ", and\n",
            (.allOf[] | select(has("properties")) | members)
          elif has("properties") then members
          else ([kind, form] | map(select(. != "")) | join(": ")) end ) ),
  "\n## When something is refused\n",
  ( .components.responses | to_entries[] | .value
    | body | .value | examples("For example") | select(. != "") )
