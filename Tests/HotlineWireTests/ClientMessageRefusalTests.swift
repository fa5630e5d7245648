import HotlineCore
import HotlineWire
import Testing

@Suite struct ClientMessageRefusalTests {
  /// Lines, and the code, param and request id of what answers them.
  @Test(arguments: [
    // The line itself.
    ("", "invalid_json null null"),
    ("{", "invalid_json null null"),
    ("hello", "invalid_json null null"),
    (#"{"request_id":"a","type":"hotline.ping"}}"#, #"invalid_json null "a""#),
    (#"{"request_id":"a",}"#, #"invalid_json null "a""#),
    (#"{"request_id":5 "type":1}"#, "invalid_json null 5"),
    (#"{"request_id":"a","request_id":"b","#, "invalid_json null null"),
    (#"{"request_id":null,"#, "invalid_json null null"),
    (#"{"request_id":"a""#, #"invalid_json null "a""#),
    (#"{"request_id":"a"#, "invalid_json null null"),
    (#"[{"type":"hotline.ping"}]"#, "invalid_request null null"),
    (#""type""#, "invalid_request null null"),
    ("null", "invalid_request null null"),
    ("[1", "invalid_json null null"),
    ("[1] 2", "invalid_json null null"),
    // Types.
    ("{}", "invalid_request type null"),
    (#"{"request_id":"a"}"#, #"invalid_request type "a""#),
    (#"{"type":null,"request_id":"a"}"#, #"invalid_request type "a""#),
    (#"{"type":5,"request_id":"a"}"#, #"invalid_request type "a""#),
    (#"{"type":"hotline.ping","type":"hotline.ping","request_id":1}"#, "invalid_request type 1"),
    (#"{"type":"hotline.ping","\u0074ype":"hotline.ping"}"#, "invalid_request type null"),
    (#"{"type":"","request_id":"a"}"#, #"unknown_type type "a""#),
    (#"{"type":"response.created"}"#, "unknown_type type null"),
    (#"{"type":"Response.create"}"#, "unknown_type type null"),
    (#"{"type":"hotline.statistics"}"#, "unknown_type type null"),
    (#"{"type":"hotline.watch","every_ms":1}"#, "invalid_request every_ms null"),
    (#"{"type":"hotline.configuration"}"#, "unknown_type type null"),
    (#"{"type":"hotline.cancel","request_id":"a1"}"#, #"invalid_request client "a1""#),
    (#"{"type":"hotline.reloaded"}"#, "unknown_type type null"),
    (#"{"type":"hotline.drain","request_id":null}"#, "invalid_request request_id null"),
    (#"{"type":"hotline.drained"}"#, "unknown_type type null"),
    (#"{"type":"session.update","request_id":"a"}"#, #"shared_connection type "a""#),
    (#"{"type":"input_audio_buffer.append"}"#, "shared_connection type null"),
    (#"{"type":"conversation.item.create"}"#, "shared_connection type null"),
    (#"{"type":"\u0063onversation.item.create"}"#, "shared_connection type null"),
    (#"{"type":"conversation"}"#, "unknown_type type null"),
    (#"{"type":"session.updated"}"#, "unknown_type type null"),
    // Of several mistakes the first that decides what the others mean.
    (#"{"stream_id":1,"request_id":null,"type":"x"}"#, "unknown_type type null"),
    (
      #"{"stream_id":1,"hotline":1,"request_id":null,"type":"response.create"}"#,
      "invalid_request request_id null"
    ),
    (
      #"{"stream_id":1,"hotline":1,"request_id":2,"type":"response.create"}"#,
      "invalid_request hotline 2"
    ),
    (
      #"{"stream_id":1,"hotline":1,"request_id":2,"type":"response.create""#,
      "invalid_json null 2"
    ),
    // Ids that must be there.
    (#"{"type":"response.cancel"}"#, "invalid_request request_id null"),
    (#"{"type":"response.steer"}"#, "invalid_request request_id null"),
    (#"{"type":"response.inject"}"#, "invalid_request request_id null"),
    (#"{"type":"response.interrupt"}"#, "invalid_request request_id null"),
  ])
  func lineIsRefused(_ line: String, _ expected: String) {
    #expect(ClientMessageSample(line).refused == expected)
  }

  /// Members of a `response.create` with the id 1, and the param of the `invalid_request`.
  @Test(arguments: [
    // Only owned members beside response.
    (#""response":{},"model":"m""#, "model"),
    (#""model":"m","response":{}"#, "model"),
    (#""response":{},"input":1,"model":2"#, "input"),
    (#""response":{},"response_id":1"#, "response_id"),
    (#""response":[]"#, "response"),
    (#""response":null"#, "response"),
    (#""response":"x""#, "response"),
    (#""response":{},"response":{}"#, "response"),
    // Lanes are the daemon's.
    (#""stream_id":"x""#, "stream_id"),
    (#""stream_id":null"#, "stream_id"),
    (#""response":{},"stream_id":"x""#, "stream_id"),
    (#""response":{"stream_id":"x"}"#, "stream_id"),
    (#""response":{"stream\u005fid":"x"}"#, "stream_id"),
    (#""background":true"#, "background"),
    (#""background":1"#, "background"),
    (#""background":"false""#, "background"),
    (#""response":{},"background":true"#, "background"),
    (#""response":{"background":true}"#, "background"),
    // Misplaced.
    (#""response":{"request_id":"x"}"#, "response.request_id"),
    (#""response":{"hotline":{}}"#, "response.hotline"),
    // Once only.
    (#""hotline":{},"hotline":{}"#, "hotline"),
    (#""event_id":1,"event_id":1"#, "event_id"),
    (#""stream":true,"stre\u0061m":true"#, "stream"),
    (#""stream_options":1,"stream_options":1"#, "stream_options"),
    (#""background":false,"background":false"#, "background"),
    (#""model":1,"\u006dodel":2"#, "model"),
    (#""instructions":1,"instructions":2"#, "instructions"),
    (#""store":false,"store":false"#, "store"),
    (#""previous_response_id":"a","previous_response_id":"b""#, "previous_response_id"),
    (#""prompt_cache_key":"a","prompt_cache_key":"b""#, "prompt_cache_key"),
    (#""response":{"type":1,"type":1}"#, "type"),
    (#""response":{"event_id":1,"event_id":1}"#, "event_id"),
    (#""response":{"stream":1,"stream":1}"#, "stream"),
    (#""response":{"stream_options":1,"stream_options":1}"#, "stream_options"),
    (#""response":{"background":null,"background":null}"#, "background"),
    (#""response":{"model":1,"model":2}"#, "model"),
    (#""response":{"instructions":1,"instructions":2}"#, "instructions"),
    (#""response":{"store":false,"store":false}"#, "store"),
    (#""response":{"previous_response_id":1,"previous_response_id":1}"#, "previous_response_id"),
    (#""response":{"prompt_cache_key":1,"prompt_cache_key":1}"#, "prompt_cache_key"),
  ])
  func requestIsInvalid(_ members: String, _ param: String) {
    let before = ClientMessageSample(#"{"type":"response.create","request_id":1,\#(members)}"#)
    #expect(before.refused == "invalid_request \(param) 1")
    let after = ClientMessageSample(#"{\#(members),"request_id":1,"type":"response.create"}"#)
    #expect(after.refused == "invalid_request \(param) 1")
  }

  @Test(arguments: [
    (#""type":"response.steer","previous_response_id":5"#, "previous_response_id"),
    (#""type":"response.inject","response_id":{}"#, "response_id"),
    (#""type":"response.inject","response_id":"a","response_id":"a""#, "response_id"),
    (#""type":"response.interrupt","stream_id":"x""#, "stream_id"),
    (#""type":"response.interrupt","background":true"#, "background"),
    (#""type":"response.interrupt","stream":1,"stream":1"#, "stream"),
    (#""type":"response.interrupt","hotline":[]"#, "hotline"),
    (#""type":"response.cancel","hotline":5"#, "hotline"),
    (#""type":"hotline.ping","hotline":{"x":1}"#, "hotline.x"),
  ])
  func otherMessageIsInvalid(_ members: String, _ param: String) {
    let sample = ClientMessageSample(#"{\#(members),"request_id":1}"#)
    #expect(sample.refused == "invalid_request \(param) 1")
  }

  @Test func depthHasALimit() {
    func line(_ depth: Int) -> String {
      #"{"request_id":1,"x":"# + String(repeating: "[", count: depth - 1)
        + String(repeating: "]", count: depth - 1) + #","type":"response.create"}"#
    }
    #expect(ClientMessageSample(line(64)).request != nil)
    #expect(ClientMessageSample(line(65)).refused == "invalid_json null 1")
    var limits = ClientMessage.Limits()
    limits.depthMax = 2
    #expect(ClientMessageSample(line(2), limits: limits).request != nil)
    #expect(ClientMessageSample(line(3), limits: limits).refused == "invalid_json null 1")
  }

  @Test func responseIDsHaveALimit() throws {
    let longest = String(repeating: "é", count: 1024)
    func line(_ type: String, _ member: String, _ id: String) -> String {
      #"{"type":"\#(type)","request_id":1,"\#(member)":"\#(id)"}"#
    }
    let request = ClientMessageSample(line("response.create", "previous_response_id", longest))
    #expect(try #require(request.request).previousResponseID == ByteString(longest.utf8))
    for (type, member) in [
      ("response.create", "previous_response_id"), ("response.steer", "previous_response_id"),
      ("response.inject", "response_id"),
    ] {
      let sample = ClientMessageSample(line(type, member, longest + "x"))
      #expect(sample.refused == "invalid_request \(member) 1")
    }
    let key = ClientMessageSample(line("response.create", "prompt_cache_key", longest))
    #expect(try #require(key.request).promptCacheKey == ByteString(longest.utf8))
    let longKey = ClientMessageSample(line("response.create", "prompt_cache_key", longest + "x"))
    #expect(try #require(longKey.request).promptCacheKey == nil)
  }

  @Test func refusalNamesReasonAndByteOfBadJSON() throws {
    let error = try #require(ClientMessageSample(#"{"type":tru}"#).refusal)
    #expect(error.detail.contains("byte 8"))
    #expect(error.origin == .client)
    #expect(error.sent == .no)
    #expect(!error.isRetryable)
  }

  @Test func unknownTypeIsNamedInPartAndTheKnownOnesListed() throws {
    let type = String(repeating: "é", count: 64)
    let whole = try #require(ClientMessageSample(#"{"type":"\#(type)"}"#).refusal)
    #expect(whole.detail.contains("\"\(type)\""))
    for known in [
      "response.create", "response.cancel", "response.steer", "response.inject",
      "response.interrupt", "hotline.ping", "hotline.status",
    ] {
      #expect(whole.detail.contains(known))
      let taken = ClientMessageSample(#"{"type":"\#(known)"}"#).refusal
      #expect(taken?.code != .unknownType, "\(known) is listed and not taken")
    }
    let cut = try #require(ClientMessageSample(#"{"type":"\#(type)xyz"}"#).refusal)
    #expect(cut.detail.contains("\"\(type)…\""))
    #expect(!cut.detail.contains("xyz"))
  }

  @Test func whatIsNamedCannotDisturbATerminal() throws {
    let line = #"{"type":"\u001b[2J\u202e\u0085\u2028\ud800\ud83d\ude00"}"#
    let detail = try #require(ClientMessageSample(line).refusal).detail
    for scalar in ["\u{1B}", "\u{202E}", "\u{85}", "\u{2028}"] as [Unicode.Scalar] {
      #expect(!detail.unicodeScalars.contains(scalar))
    }
    #expect(detail.contains("😀"))
  }

  @Test func valuesOfARequestAreNeverRepeated() throws {
    for line in [
      #"{"type":"response.create","response":"SECRET"}"#,
      #"{"type":"response.create","response":{},"input":"SECRET"}"#,
      #"{"type":"response.create","model":"SECRET","model":"SECRET"}"#,
      #"{"type":"response.create","background":"SECRET"}"#,
      #"{"type":"response.create","stream_id":"SECRET"}"#,
      #"{"type":"response.create","input":"SECRET",}"#,
      #"{"type":["SECRET"]}"#,
      #"["SECRET"]"#,
      #"{"type":"response.steer","request_id":1,"previous_response_id":["SECRET"]}"#,
    ] {
      let error = try #require(ClientMessageSample(line).refusal)
      #expect(!error.detail.contains("SECRET"), "\(line)")
    }
  }
}
