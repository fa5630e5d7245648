/// What the targets begin with; what libFuzzer once found wrong is among it.
enum Seeds {
  private static func bytes(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }

  static let json = JSONCorpus.groups.flatMap(\.documents)
  static let jsonWords = [
    "true", "false", "null", #"\\u"#, #"\\ud83d"#, #"\\ude00"#, #"\\\""#, #"\\\\"#, "1e5", "-0.",
    #"\xef\xbb\xbf"#, #"\xed\xa0\x80"#, #"\xf4\x90\x80\x80"#, #"\xe2\x82\xac"#, "[[[[[[[[",
    "]]]]]]]]", #"{\"a\":"#, #"\"a\":1,"#,
  ]

  /// A byte for the limit before each.
  static let lines = bytes([
    "\u{8}a\nb\n", "\u{8}a\r\nb\r\n", "\u{8}\n\n \t\r\n", "\u{8}12345678\n", "\u{8}12345678\r\n",
    "\u{8}123456789\n", "\u{8}123456789\r\n1\n", "\u{8}12345678\r\r\n", "\u{8}a", "\u{8}a\r",
    "\u{8}\ra\n", "\u{0}\n", "\u{0}a\n", "\u{1}\r\r\n", "\u{40}{\"type\":\"hotline.ping\"}\n\n{}",
  ])

  static let messages = bytes([
    #"{"type":"response.create","request_id":"a1","response":{"model":"m","input":"Hello!"}}"#,
    #"{"type":"response.create","request_id":2,"model":"m","input":[1,{}],"store":null}"#,
    #"{"type":"response.create","request_id":"a\u0031","hotline":{"tag":"é","timeout_ms":5},"#
      + #""response":{"model":"m","store":null,"stream":true,"input":"😀\ud83d\ude00"}}"#,
    #"{"request_id":-12,"stream":true,"model":"m","\u0074ype":"response.create","#
      + #""background":false}"#,
    #"{"type":"response.create","event_id":"e","stream_options":{},"x":1,"x":2}"#,
    #"{ "type" : "response.create" , "response" : { } , "request_id" : "a" }"#,
    #"{"type":"response.create"}"#,
    #"{"type":"response.create","previous_response_id":"resp_1","prompt_cache_key":"k"}"#,
    #"{"type":"response.create","hotline":{"upstream":"u","conversation":"c","priority":"batch","#
      + #""events":"final","queue_timeout_ms":1,"resend":"unanswered","on_hangup":"finish"}}"#,
    #"{"type":"response.create","stream_id":"1"}"#,
    #"{"type":"response.create","response":{},"model":"m"}"#,
    #"{"type":"response.create","response":{"request_id":1}}"#,
    #"{"type":"response.steer","request_id":"b","previous_response_id":null,"input":[1,{}]}"#,
    #"{"type":"response.inject","request_id":"b","response_id":"r","items":[]}"#,
    #"{"type":"response.interrupt","request_id":"b","event_id":1}"#,
    #"{"type":"session.\u0075pdate","request_id":"c"}"#,
    #"{"type":"response.cancel","request_id":"d"}"#,
    #"{ "type" : "hotline.ping" , "request_id" : "\ud800" }"#,
    #"{"type":"hotline.status","request_id":"1","request_id":"1"}"#,
    #"{"type":"input_audio_buffer.append"}"#, #"{"type":"no\nsuch\u202etype"}"#, "[]", "{",
    "\u{7f}", #"{"type":1}"#,
  ])
  static let messageWords = [
    #"\"type\":\"response.create\","#, #"\"request_id\":\"a\","#, #"\"response\":{"#,
    #"\"store\":null,"#, #"\"stream\":true,"#, #"\"event_id\":1,"#, #"\"stream_options\":{},"#,
    #"\"background\":false,"#, #"\"hotline\":{"#, #"\"model\":\"m\","#, #"\"instructions\":"#,
    #"\"previous_response_id\":"#, #"\"response_id\":"#, #"\"prompt_cache_key\":"#,
    #"\"response.steer\""#, #"\"response.inject\""#, #"\"response.interrupt\""#,
    #"\"response.cancel\""#, #"\"hotline.ping\""#, #"\"tag\":\"t\""#, #"\"timeout_ms\":"#,
    #"\\u0074ype"#,
  ]

  /// A byte for the limit before each.
  static let frames: [[UInt8]] = [
    [0xFF, 0x81, 0x02, 0x68, 0x69], [0xFF, 0x82, 0x01, 0x00], [0xFF, 0x89, 0x00, 0x8A, 0x01, 0x61],
    [0xFF, 0x01, 0x01, 0x61, 0x89, 0x01, 0x62, 0x00, 0x00, 0x80, 0x01, 0x63],
    [0xFF, 0x88, 0x00], [0xFF, 0x88, 0x02, 0x03, 0xE8], [0xFF, 0x88, 0x04, 0x03, 0xE9, 0xC3, 0xA9],
    [0xFF, 0x88, 0x01, 0x03], [0xFF, 0x88, 0x02, 0x03, 0xED], [0xFF, 0x88, 0x03, 0x03, 0xE8, 0xFF],
    [0xFF, 0x81, 0x7E, 0x00, 0x7E] + [UInt8](repeating: 0x61, count: 126),
    [0xFF, 0x81, 0x7E, 0x00, 0x7D], [0xFF, 0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
    [0xFF, 0x81, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], [0xFF, 0x81, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0],
    [0xFF, 0xC1, 0x00], [0xFF, 0x81, 0x80, 1, 2, 3, 4], [0xFF, 0x83, 0x00], [0xFF, 0x09, 0x00],
    [0xFF, 0x89, 0x7E, 0x00, 0x7E], [0xFF, 0x80, 0x00], [0xFF, 0x01, 0x00, 0x81, 0x00],
    [0x04, 0x81, 0x04, 1, 2, 3, 4], [0x04, 0x81, 0x05, 1, 2, 3, 4, 5],
    [0x04, 0x01, 0x03, 1, 2, 3, 0x80, 0x02, 1, 2], [0x00, 0x81, 0x00, 0x81, 0x00],
  ]

  /// A 101 without its end, for `the sample nonce`.
  static let accepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

  static let upgrades = bytes([
    accepted + "\r\n",
    accepted + "Server: s\r\nX-Request-Id: \(FuzzTarget.secret)\r\n\r\n\u{1}\u{0}",
    accepted + "Sec-WebSocket-Protocol: chat\r\n\r\n",
    accepted + "Sec-WebSocket-Protocol: other\r\n\r\n",
    accepted + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    accepted + "Sec-WebSocket-Extensions: ,permessage-deflate; server_no_context_takeover ;"
      + "client_no_context_takeover;server_max_window_bits=\"1\\2\"; client_max_window_bits = 8\r\n"
      + "Sec-WebSocket-Protocol: superchat\r\n\r\n\u{1}",
    accepted + "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits\r\n\r\n",
    accepted + "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n\r\n",
    accepted + "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n\r\n",
    accepted + "Sec-WebSocket-Extensions: permessage-deflate\r\n"
      + "Sec-WebSocket-Extensions: x-webkit-deflate-frame; no_context_takeover\r\n\r\n",
    accepted + "Sec-WebSocket-Extensions: permessage-deflate; x=\"a\r\n\r\n",
    accepted + "Sec-WebSocket-Extensions: ,\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n" + accepted + "\r\n",
    String(repeating: "HTTP/1.1 100 C\r\n\r\n", count: 5),
    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n\r\nbad key \(FuzzTarget.secret)",
    "HTTP/1.1 302 Found\r\nLocation: https://h/?k=\(FuzzTarget.secret)\r\n\r\n",
    "HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "5\r\nhello\r\n3;x=y\r\n wo\r\n0\r\n\r\n",
    "HTTP/1.1 503 U\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      + "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n\r\n",
    "HTTP/1.1 204\r\n\r\n", "HTTP/1.1 304 N\r\n\r\nno body",
    "HTTP/1.0 101 X\r\n\r\n", "HTTP/2 101\r\n", "SSH-2.0-OpenSSH\r\n",
    "HTTP/1.1 200 OK\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 200 OK\n\n",
    "HTTP/1.1 20 OK\r\n\r\n", "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}F",
  ])
  static let upgradeWords = [
    #"HTTP/1.1 101 S\x0d\x0a"#, #"HTTP/1.1 401 U\x0d\x0a"#, #"HTTP/1.1 103 E\x0d\x0a\x0d\x0a"#,
    #"\x0d\x0a\x0d\x0a"#, #"Upgrade: websocket\x0d\x0a"#, #"Connection: Upgrade\x0d\x0a"#,
    #"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\x0d\x0a"#,
    #"Sec-WebSocket-Protocol: chat\x0d\x0a"#, "Sec-WebSocket-Extensions: permessage-deflate",
    "; server_no_context_takeover", "; client_no_context_takeover", "; server_max_window_bits=",
    "; client_max_window_bits=", #"=\"15\""#, #"\x0d\x0aSec-WebSocket-Extensions: "#,
    #"Transfer-Encoding: chunked\x0d\x0a"#,
    #"Content-Length: 9\x0d\x0a"#, #"Retry-After: 9\x0d\x0a"#, #"\x0d\x0a5\x0d\x0a"#,
    #"0\x0d\x0a\x0d\x0a"#, FuzzTarget.secret, "sk-test-",
    #"Date: Sun, 06 Nov 1994 08:49:37 GMT\x0d\x0a"#, "Location: ", "Server: ", "X-Request-Id: ",
  ]

  /// A byte before each that chooses the proxy: 1 for SOCKS, 2 for credentials, 8 for a name.
  static let proxies =
    bytes([
      "\u{0}HTTP/1.1 200 Connection established\r\n\r\ntunnel",
      "\u{2}HTTP/1.0 200\r\nContent-Length: 5\r\n\r\n",
      "\u{2}HTTP/1.1 100 C\r\n\r\nHTTP/1.1 204 F\r\nTransfer-Encoding: chunked\r\n\r\n",
      "\u{0}HTTP/1.1 407 P\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\r\nwho are you?",
      "\u{2}HTTP/1.1 407 P\r\nProxy-Authenticate: Negotiate, NTLM\r\nContent-Length: 0\r\n\r\n",
      "\u{2}HTTP/1.1 401 U\r\n\r\nnot ann:\(FuzzTarget.secret)",
      "\u{0}HTTP/1.1 403 Filtered\r\nContent-Length: 3\r\n\r\nno!",
      "\u{0}HTTP/1.1 503 U\r\nRetry-After: 7\r\n\r\n", "\u{0}HTTP/1.1 302 F\r\n\r\n",
      "\u{0}HTTP/1.1 101 S\r\n\r\n", "\u{0}SSH-2.0-x\r\n", "\u{0}\u{5}\u{0}",
    ]) + [
      [1, 5, 0, 5, 0, 0, 1, 127, 0, 0, 1, 4, 56, 0x54],
      [3, 5, 2, 1, 0, 5, 0, 0, 4] + [UInt8](repeating: 0, count: 18),
      [11, 5, 0, 5, 0, 0, 3, 2, 0x61, 0x62, 0, 80, 0x54, 0x55], [5, 5, 0xFF], [7, 5, 0xFF],
      [1, 5, 2], [3, 5, 1], [3, 5, 2, 1, 1], [3, 4, 90], [9, 5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0],
      [9, 5, 0, 5, 5, 0, 1, 0], [1, 5, 0, 5, 0, 0, 9, 0], [1, 5, 0, 4, 0, 0, 1, 0],
      [1, 5, 0, 5, 9, 0, 1, 0], Array("\u{1}HTTP/1.1 400 B\r\n\r\n".utf8),
    ]
  static let proxyWords = [
    #"Proxy-Authenticate: Basic\x0d\x0a"#, #"HTTP/1.1 200 C\x0d\x0a\x0d\x0a"#,
    #"HTTP/1.1 407 P\x0d\x0a"#, #"\x05\x00"#, #"\x05\x02\x01\x00"#, #"\x05\x00\x00\x01"#,
    #"\x05\x00\x00\x03"#, #"\x05\x00\x00\x04"#,
  ]

  static let envelopes = bytes([
    #"{"type":"response.output_text.delta","delta":"x"}"#, "{}", "{ }", "\n{\n}\n",
    #"{"type":"response.created","response":{"id":"resp_1"}}"#,
    #"{"type":"response.completed","stream_id":"l","response_id":"top","response":"#
      + #"{"output":[{"id":"no"}],"id":"resp_1","status":"completed","#
      + #""usage":{"total_tokens" : 12}}}"#,
    #"{"type":"response.done","response":{"status":"cancelled"}}"#,
    #"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"steered"}}}"#,
    #"{"type":"error","status":400,"error":{"type":"t","code":"c","message":"M\n","param":"p"}}"#,
    #"{"type":"error","code":"c","message":"m","param":null,"error":"x"}"#,
    #"{"request_id":"own","h\u006ftline":{},"request_\u0069d":1}"#,
    #"{"a":{"request_id":1,"hotline":2},"b":"request_id"}"#, #"{"type":"a","\u0074ype":"b"}"#,
    #"{"type":"hotline.done"}"#, #"{"type":"rate_limits.updated","rate_limits":[]}"#,
    #"{"type":5}"#, "[]", "\"text\"", #"{"a":"cut"#, "\u{0}", "\u{ff}",
    "{\n\"a\":\r\n[\n1\n]\n}", #"{"response":{"usage":{"a":1},"usage":{"b":2}},"response":{}}"#,
  ])
  static let envelopeWords = [
    #"\"type\":\"response.completed\","#, #"\"type\":\"response.output_text.delta\","#,
    #"\"type\":\"error\","#, #"\"response\":{"#, #"\"error\":{"#, #"\"id\":\"r\","#,
    #"\"status\":\"failed\","#, #"\"usage\":{"#, #"\"request_id\":1,"#, #"\"hotline\":1,"#,
    #"\"stream_id\":\"l\","#, #"\"response_id\":\"r\","#, #"\"code\":\"c\","#,
    #"\"message\":\"m\","#,
    #"\"incomplete_details\":{\"reason\":\"steered\"}"#, #"\\u0072equest_id"#, "response.done",
    "hotline.", #"\x0a"#,
  ]
}
