/// Legal but unusual text messages, none of which ends a response.
///
/// Each is something that a relay that looks for patterns instead of structure gets wrong.
enum OddMessages {
  static let all = [
    #"{"type":"response.output_text.delta","request_id":"server-own","hotline":1,"delta":"own"}"#,
    #"{"type":"response.output_text.delta","\u0072equest_id":"escaped","delta":"own id, escaped"}"#,
    #"{"\u0074ype":"response.output_text.delta","delta":"escaped name"}"#,
    #"{"type":"response.output_text\u002edelta","delta":"escaped value"}"#,
    #"{}"#,
    #"{ }"#,
    #"  {"type":"response.output_text.delta","delta":"leading space"}  "#,
    #"{"delta":"{\"type\":\"response.completed\"}","type":"response.output_text.delta"}"#,
    #"{"x":{"type":"response.completed"},"type":"response.output_text.delta","delta":"nested"}"#,
    #"{"type":"response.output_text.delta","delta":"n","n":123456789012345678.5e-400,"d":1,"d":2}"#,
    #"{"type":"response.output_text.delta","delta":"\ud83d\ude00 \u0000 tail"}"#,
    #"{"type":"response.output_text.delta","type":"response.completed","delta":"two types"}"#,
    #"{"type":"hotline.done","outcome":"completed"}"#,
    #"{"type":17}"#,
    #"{"type":"ping"}"#,
    #"{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":12.5}}}"#,
    #"{"type":"rate_limits.updated","rate_limits":[{"name":"tokens","remaining":39000}]}"#,
    #"[1,2,3]"#,
    #""a string""#,
    #"null"#,
  ]
}
