#!/usr/bin/env bash
# Functions to ask hotlined from bash, with socat and jq: copy them, or source this file.
#
#   hotline.bash ask|stream|tools|parallel|cancel [TEXT...]
#
# Without TEXT the question is standard input. README.md has the exit status.

# Prints the path of the daemon's socket, or says why there is none.
hotline_socket() {
  local socket=${HOTLINE_SOCKET:-${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/hotline.sock}}
  if [[ -S $socket ]]; then
    printf '%s\n' "$socket"
  elif [[ $socket ]]; then
    printf 'hotline: cannot reach hotlined at %s: no such socket\n' "$socket" >&2
  else
    printf 'hotline: cannot reach hotlined: set HOTLINE_SOCKET or XDG_RUNTIME_DIR\n' >&2
  fi
  [[ -S $socket ]] || return 69
}

# hotline_request ID [OPTIONS [RESPONSE]]: prints a request for the text on standard input. The
# delivery options and further members of the response are JSON.
hotline_request() {
  jq -cRs --arg id "$1" --argjson options "${2:-null}" --argjson response "${3:-null}" '{
    type: "response.create", request_id: $id, hotline: ($options // {}),
    response: ({model: "gpt-5.3-codex", input: .} + $response)}'
}

# Sends the lines of standard input and prints what comes back. The end of input says that no more
# requests come: the daemon closes after the last answer.
hotline_send() {
  local socket
  socket=$(hotline_socket) && socat -t 3600 - "UNIX-CONNECT:$socket"
}

# shellcheck disable=SC2016 # The dollars are jq's.
# Words for jq -R; what is left of a line when the connection is lost is no JSON.
hotline_words='
  def lines: inputs | fromjson? | objects;
  def is_delta: .type == "response.output_text.delta";
  # Refused: nothing follows. After every other error a hotline.done does.
  def is_last: .type == "hotline.done" or (.type == "error" and .hotline.accepted == false);
  def take($line):
    if $line | is_delta then .text += $line.delta
    elif $line.type | IN("response.completed", "response.incomplete", "response.failed") then
      .response = $line.response | .error = (.error // $line.response.error)
    elif $line.type == "error" then
      .error = ($line.error // $line) | .retryable = $line.hotline.retryable
    else . end |
    if $line | is_last then
      .id = $line.request_id | .outcome = ($line.outcome // "error") |
      .status = (if .id == null then 69 else
        {completed: 0, incomplete: 3, cancelled: 130}[.outcome] //
        (if .retryable then 75 else 1 end) end) |
      .text = (.text // ([.response.output[]?.content[]?.text] | add) // "") |
      .problem = ([.outcome, .error.message // empty] | join(": "))
    else . end;
  def complain($status): "hotline: \(.)\n" | halt_error($status);
  def lost: "hotlined closed the connection before the last line" | complain(69);
'

# Prints what comes of the requests that hotline_send sent as JSON, one a line, as each ends: id,
# outcome, the exit status that tells it, problem, text, response.
hotline_answers() {
  jq -cnR --unbuffered "$hotline_words"'
    foreach lines as $line ({}; del(.over) |
      .open[$line.request_id | tostring] |= take($line) |
      if $line | is_last then
        .over = .open[$line.request_id | tostring] | del(.open[$line.request_id | tostring])
      else . end; .over // empty)'
}

# hotline_stream ID: prints the text of that request's answer as it comes, and returns its status.
hotline_stream() {
  jq -njR --unbuffered --arg id "$1" "$hotline_words"'
    def own: select(.request_id == $id or (.type == "error" and .request_id == null));
    foreach ((lines | own), null) as $line ({}; take($line // {});
      if $line == null then "\n", lost
      elif $line | is_delta then $line.delta
      elif .status == 0 then "\n", ("" | halt_error(0))
      elif .outcome then "\n", (.status as $status | .problem | complain($status))
      else empty end)'
}

# hotline_status COUNT: complains about and returns the greatest status of so many answers.
hotline_status() {
  jq -nr --argjson count "$1" "$hotline_words"'
    [inputs] | (map(.status) | max) as $status | if length < $count then lost
    elif $status == 0 then empty
    else map(select(.status != 0).problem) | join("\nhotline: ") | complain($status) end'
}

# Sourced, this is all.
[[ ${BASH_SOURCE[0]} == "$0" ]] || return 0

# Examples: each takes its text from standard input.

# One request, and no event but the last.
ask() {
  local answer
  answer=$(hotline_request q1 '{"events": "final"}' | hotline_send | hotline_answers)
  jq -r .text <<<"$answer"
  hotline_status 1 <<<"$answer"
}

# The text as it comes.
stream() {
  hotline_request q1 | hotline_send | hotline_stream q1
}

# The model calls a function; the result goes back with the whole conversation.
tools() {
  local response answer results options="{\"conversation\": \"tools-$$\"}"
  response=$(jq -cRs '{
    input: [{role: "user", content: .}], tools: [{type: "function", name: "count_words",
      parameters: {type: "object", properties: {answer: {type: "string"}}}}]}')
  answer=$(hotline_request q1 "$options" "$response" | hotline_send | hotline_answers)
  results=$(jq -c '[.response.output[]? | select(.type == "function_call") | del(.id), # Not stored.
    {type: "function_call_output", call_id,
      output: "\(.arguments | fromjson.answer | [splits("\\s+")] | length) words"}]' <<<"$answer")
  if [[ $results == "[{"* ]]; then
    response=$(jq -c --argjson results "$results" '.input += $results' <<<"$response")
    answer=$(hotline_request q2 "$options" "$response" | hotline_send | hotline_answers)
  fi
  jq -r .text <<<"$answer"
  hotline_status 1 <<<"$answer"
}

# Ten requests on one connection, whose events come in any order.
parallel() {
  local text answers number
  text=$(cat)
  answers=$(for number in {1..10}; do
    printf '%s %s' "$text" "$number" | hotline_request "$number"
  done | hotline_send | hotline_answers)
  jq -rs 'sort_by(.id | tonumber)[] | "\(.id): \(.text)"' <<<"$answers"
  hotline_status 10 <<<"$answers"
}

# The text as it comes, cancelled after three deltas; a hotline.done still comes.
cancel() {
  local directory status=0
  directory=$(mktemp -d)
  mkfifo "$directory/seen"
  {
    hotline_request q1
    jq -nR "$hotline_words"'foreach lines as $line (0;
      if $line | is_last then 3 elif $line | is_delta then . + 1 else . end;
      if . == 3 then halt else empty end)' <"$directory/seen"
    printf '{"type": "response.cancel", "request_id": "q1"}\n'
  } | hotline_send | tee -p "$directory/seen" | hotline_stream q1 || status=$?
  rm -r "$directory"
  return "$status"
}

case ${1-} in
  ask | stream | tools | parallel | cancel)
    if (($# > 1)); then "$1" < <(printf '%s' "${*:2}"); else "$1"; fi
    ;;
  *)
    printf 'usage: hotline.bash ask|stream|tools|parallel|cancel [TEXT...]\n' >&2
    exit 2
    ;;
esac
