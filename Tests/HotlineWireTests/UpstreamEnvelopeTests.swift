import Fuzzing
import HotlineCore
import HotlineWire
import TestSupport
import Testing

@Suite struct UpstreamEnvelopeTests {
  typealias Kind = UpstreamEnvelope.Kind

  private func text(_ text: JSONText?, in bytes: [UInt8]) -> String? {
    text.map { text in bytes.withUnsafeBytes { text.decoded(in: $0).description } }
  }

  private func read(
    _ message: String, isBinary: Bool = false, depthMax: Int = 512
  ) throws -> UpstreamEnvelope {
    try Array(message.utf8).withUnsafeBytes { bytes in
      try UpstreamEnvelope(bytes, isBinary: isBinary, depthMax: depthMax)
    }
  }

  static let kinds: [(message: String, kind: Kind)] = [
    (#"{"type":"response.output_text.delta","delta":"x"}"#, .text),
    (#"{"type":"response.text.delta","delta":"x"}"#, .text),
    (#"  {"type":"response.output_text.delta"}"#, .text),
    (#"{"delta":"\"type\":\"response.completed\"","type":"response.output_text.delta"}"#, .text),
    (#"{"\u0074ype":"response.output_text.delta"}"#, .text),
    (#"{"type":"response.output\u005ftext.delta"}"#, .text),
    (#"{"type":"response.output_text.done","text":"x"}"#, .progress),
    (#"{"type":"response.output_text.deltas"}"#, .progress),
    (#"{"type":"response.created","response":{"id":"r"}}"#, .progress),
    (#"{"type":"response.in_progress"}"#, .progress),
    (#"{"type":"response.metadata"}"#, .notice),
    (#"{"type":"response.steer.accepted","response_id":"resp_1"}"#, .progress),
    (#"{"type":"response.code_interpreter_call.completed"}"#, .progress),
    (#"{"type":"something.new"}"#, .progress),
    (#"{"type":"responses.completed"}"#, .progress),
    (#"{"type":"Error"}"#, .progress),
    (#"{"type":5}"#, .progress), (#"{"type":null}"#, .progress), ("{}", .progress),
    ("{ }", .progress), (#"{"a":{"type":"response.completed"}}"#, .progress),
    (#"{"type":""}"#, .progress), (#"{"type":"hotline"}"#, .progress),
    (#"{"type":"response.completed","response":{"status":"failed"}}"#, .terminal(.completed)),
    (#"{"type":"response.failed"}"#, .terminal(.failed)),
    (#"{"type":"response.incomplete"}"#, .terminal(.incomplete)),
    (#"{"type":"response.cancelled"}"#, .terminal(.cancelled)),
    (#"{"type":"response.done","response":{"status":"completed"}}"#, .terminal(.completed)),
    (#"{"response":{"status":"incomplete"},"type":"response.done"}"#, .terminal(.incomplete)),
    (#"{"type":"response.done","response":{"status":"cancelled"}}"#, .terminal(.cancelled)),
    (#"{"type":"response.done","response":{"status":"failed"}}"#, .terminal(.failed)),
    (#"{"type":"response.done","response":{"status":"odd"}}"#, .terminal(.failed)),
    (#"{"type":"response.done","response":{}}"#, .terminal(.failed)),
    (#"{"type":"response.done"}"#, .terminal(.failed)),
    (#"{"type":"response.done","response":[]}"#, .terminal(.failed)),
    (#"{"type":"\u0072esponse.completed"}"#, .terminal(.completed)),
    (#"{"type":"error"}"#, .error), (#"{"type":"err\u006fr"}"#, .error),
    (#"{"type":"session.created"}"#, .notice), (#"{"type":"session.updated"}"#, .notice),
    (#"{"type":"rate_limits.updated"}"#, .notice), (#"{"type":"codex.rate_limits"}"#, .notice),
    (#"{"type":"ping"}"#, .notice), (#"{"type":"keepalive"}"#, .notice),
  ]

  @Test(arguments: kinds.indices)
  func kindFollowsFromTheTypeAlone(index: Int) throws {
    let (message, kind) = Self.kinds[index]
    #expect(try read(message).kind == kind, "\(message)")
  }

  @Test func typesOfResponsesAreTold() throws {
    #expect(try read(#"{"type":"response.created"}"#).isResponseCreated)
    #expect(try !read(#"{"type":"response.in_progress"}"#).isResponseCreated)
    #expect(try read(#"{"type":"response.anything"}"#).isResponseEvent)
    #expect(try read(#"{"type":"r\u0065sponse.x"}"#).isResponseEvent)
    #expect(try !read(#"{"type":"response"}"#).isResponseEvent)
    #expect(try !read(#"{"type":"error"}"#).isResponseEvent)
    #expect(try read("{}").type == nil)
    #expect(try read(#"{"type":1}"#).type == nil)
    let message = #"{"type":"p\u0069ng"}"#
    #expect(text(try read(message).type, in: Array(message.utf8)) == "ping")
  }

  @Test func idsStatusAndUsageAreFound() throws {
    let message =
      #"{"type":"response.completed","stream_id":"lane-3","response_id":"top","response":"#
      + #"{"output":[{"id":"no","usage":{}}],"id":"resp_1","status":"completed","#
      + #""usage":{"total_tokens" : 12}}}"#
    let bytes = Array(message.utf8)
    let envelope = try read(message)
    #expect(text(envelope.streamID, in: bytes) == "lane-3")
    #expect(text(envelope.topResponseID, in: bytes) == "top")
    #expect(text(envelope.nestedResponseID, in: bytes) == "resp_1")
    #expect(envelope.responseID == envelope.nestedResponseID)
    #expect(text(envelope.responseStatus, in: bytes) == "completed")
    let usage = bytes[try #require(envelope.usage)]
    #expect(String(decoding: usage, as: UTF8.self) == #"{"total_tokens" : 12}"#)
    let delta = try read(#"{"type":"response.audio.delta","response_id":"resp_123"}"#)
    #expect(delta.responseID != nil && delta.responseID == delta.topResponseID)
    #expect(delta.usage == nil && delta.streamID == nil)
  }

  @Test func usageThatIsNoObjectIsUnknown() throws {
    for usage in ["null", "5", "[]", "\"x\""] {
      let envelope = try read(#"{"type":"response.completed","response":{"usage":\#(usage)}}"#)
      #expect(envelope.usage == nil)
    }
  }

  @Test func steeredResponsesAreTold() throws {
    func isSteered(_ details: String) throws -> Bool {
      let response = #"{"id":"resp_1","status":"incomplete","incomplete_details":\#(details)}"#
      return try read(#"{"type":"response.incomplete","response":\#(response)}"#).isSteered
    }
    #expect(try isSteered(#"{"reason":"steered"}"#))
    #expect(try isSteered(#"{"a":[1],"reason":"steere\u0064","b":{}}"#))
    #expect(try !isSteered(#"{"reason":"max_tokens"}"#))
    #expect(try !isSteered("null"))
    #expect(try !isSteered("{}"))
    #expect(try !isSteered(#""steered""#))
  }

  @Test(arguments: [
    (#""type":"response.steer.accepted","steer":{"id":"s"}"#, ControlAnswer.accepted),
    (#""type":"response.steer.pending","steer":{"id":"s"}"#, .pending),
    (
      #""type":"response.steer.failed","steer":{"input":[{"id":"x"}]}"#, .failed(wasAccepted: false)
    ),
    (#""type":"response.steer.failed","steer":{"id":null}"#, .failed(wasAccepted: false)),
    (#""steer":{"id":"s"},"type":"response.steer.f\u0061iled""#, .failed(wasAccepted: true)),
    (#""type":"response.inject.created""#, .applied),
    (#""type":"response.inject.failed","steer":{"id":"s"}"#, .failed(wasAccepted: false)),
    (#""type":"response.steer.queued""#, .other),
    (#""type":"response.inject.queued""#, .other),
    (#""type":"response.interrupt.accepted""#, .other),
  ])
  func answersToMessagesAboutAResponseAreTold(members: String, answer: ControlAnswer) throws {
    let envelope = try read("{\(members)}")
    #expect(envelope.controlAnswer == answer)
    #expect(envelope.isResponseEvent)
    #expect(envelope.kind == .progress)
  }

  @Test(arguments: [
    "response.steered", "response.steer", "response.created", "response.inject", "steer.accepted",
  ])
  func nothingElseIsSuchAnAnswer(type: String) throws {
    #expect(try read(#"{"type":"\#(type)","steer":{"id":"s"}}"#).controlAnswer == nil)
  }

  @Test func anAnswerNamesItsResponse() throws {
    func response(_ members: String) throws -> String? {
      let message = "{\(members)}"
      return try Array(message.utf8).withUnsafeBytes { bytes in
        try UpstreamEnvelope(bytes).responseID?.decoded(in: bytes).description
      }
    }
    #expect(
      try response(#""type":"response.steer.accepted","steer":{"previous_response_id":"r\u0031"}"#)
        == "r1")
    #expect(
      try response(#""type":"response.inject.created","response_id":"r2""#) == "r2")
    #expect(try response(#""type":"response.steer.failed","steer":"r3""#) == nil)
    #expect(try response(#""type":"response.steer.failed","steer":{"input":{}}"#) == nil)
  }

  @Test func errorsAreReadInEveryShape() throws {
    func failure(_ message: String) throws -> [String?] {
      let bytes = Array(message.utf8)
      let failure = try read(message).failure
      let texts = [failure.code, failure.message, failure.type, failure.param]
      return texts.map { text($0, in: bytes) } + [failure.status.map(String.init)]
    }
    let nested = #"{"type":"invalid","code":"not_found","message":"Not\nfound.","param":"p"}"#
    let all: [String?] = ["not_found", "Not\nfound.", "invalid", "p", "400"]
    #expect(try failure(#"{"type":"error","status":400,"error":\#(nested)}"#) == all)
    #expect(try failure(#"{"type":"error","error":\#(nested),"status_code":400}"#) == all)
    #expect(
      try failure(#"{"type":"error","code":"c","message":"m","param":null,"sequence_number":3}"#)
        == ["c", "m", nil, nil, nil])
    #expect(
      try failure(#"{"code":"flat","type":"error","error":{"code":"deep","message":"m"}}"#)
        == ["deep", "m", nil, nil, nil])
    #expect(
      try failure(#"{"type":"error","error":{"code":"deep"},"code":"flat","message":"m"}"#)
        == ["deep", "m", nil, nil, nil])
    #expect(
      try failure(#"{"type":"error","error":{"code":null,"message":"m","status":429}}"#)
        == [nil, "m", nil, nil, "429"])
    #expect(try failure(#"{"type":"error","error":"text"}"#) == [nil, nil, nil, nil, nil])
    for status in ["4000", "-1", "4.5", "\"400\"", "null", "1e2"] {
      #expect(try read(#"{"type":"error","status":\#(status)}"#).failure.status == nil)
    }
    let other = try read(#"{"type":"other","code":"x","status":400}"#).failure
    #expect(other.code == nil && other.status == nil)
  }

  @Test func whatIsNoEventIsUnusable() {
    #expect(throws: UpstreamEnvelope.Unusable.binary) { try read("{}", isBinary: true) }
    for message in ["[1,2,3]", "\"text\"", "1", "null", " [] "] {
      #expect(throws: UpstreamEnvelope.Unusable.notAnObject) { try read(message) }
    }
    #expect(throws: UpstreamEnvelope.Unusable.invalidJSON(JSONError(.documentEmpty, at: 0))) {
      try read("")
    }
    #expect(throws: UpstreamEnvelope.Unusable.invalidJSON(JSONError(.bytesAfterValue, at: 2))) {
      try read("{}{}")
    }
    for message in ["{\"a\":\"cut", "{\"type\":\"x\"", "{\"a\":01}", "[1,", "{}x", "nul"] {
      #expect(throws: UpstreamEnvelope.Unusable.self) { try read(message) }
    }
    let twice = [
      #"{"type":"a","type":"a"}"#, #"{"type":"a","\u0074ype":"b"}"#, #"{"type":1,"type":2}"#,
      #"{"type":"hotline.x","a":{},"type":null}"#,
    ]
    for message in twice {
      #expect(throws: UpstreamEnvelope.Unusable.duplicateType) { try read(message) }
    }
    for type in ["hotline.", "hotline.done", #"\u0068otline.x"#, #"hotline\u002eraw"#] {
      #expect(throws: UpstreamEnvelope.Unusable.reservedType) {
        try read(#"{"type":"\#(type)"}"#)
      }
    }
  }

  @Test func depthIsTakenUpToItsLimitAndNotBeyond() throws {
    let inner = String(repeating: "[", count: 511) + String(repeating: "]", count: 511)
    #expect(try read(#"{"a":\#(inner)}"#).kind == .progress)
    #expect(throws: UpstreamEnvelope.Unusable.invalidJSON(JSONError(.depthExceeded, at: 516))) {
      try read(#"{"a":[\#(inner)]}"#)
    }
    #expect(try read(#"{"response":{"incomplete_details":{}}}"#, depthMax: 3).kind == .progress)
    #expect(throws: UpstreamEnvelope.Unusable.self) {
      try read(#"{"response":{"incomplete_details":{}}}"#, depthMax: 2)
    }
  }

  @Test func mutatedMessagesAreUsableExactlyWhenTheyAreObjects() {
    var generator = JSONGenerator(seed: 99)
    for index in 0..<10_000 {
      var message = Array(Self.kinds[index % Self.kinds.count].message.utf8)
      for _ in 0...generator.random.below(4) { generator.mutate(&message) }
      let isJSON = verdict(message, depthMax: 512) == nil
      message.withUnsafeBytes { bytes in
        do throws(UpstreamEnvelope.Unusable) {
          _ = try UpstreamEnvelope(bytes)
          #expect(isJSON)
        } catch {
          if case .invalidJSON = error { #expect(!isJSON) } else { #expect(isJSON) }
        }
      }
    }
  }
}
