import HotlineCore
import HotlineWire
import Testing

@Suite struct UpstreamDialectTests {
  private let plainNested = UpstreamDialect(envelope: .nested, forcesStoreFalse: false)
  private let plainFlat = UpstreamDialect(envelope: .flat, forcesStoreFalse: false)
  private let smart = UpstreamDialect()

  private func sent(
    _ line: String, _ dialect: UpstreamDialect, lane: Int? = nil
  ) throws -> String? {
    try ClientMessageSample(line).sent(dialect, lane: lane)
  }

  @Test func eitherEnvelopeBecomesTheUpstreams() throws {
    let nested = #"{"type":"response.create","response":{"model":"m","input":"Hello!"}}"#
    let flat = #"{"type":"response.create","model":"m","input":"Hello!"}"#
    for line in [nested, flat] {
      #expect(try sent(line, plainNested) == nested)
      #expect(try sent(line, plainFlat) == flat)
    }
  }

  @Test func emptyBodiesAreWritten() throws {
    for line in [
      #"{"type":"response.create","request_id":1}"#, #"{"type":"response.create","response":{ }}"#,
    ] {
      #expect(try sent(line, plainNested) == #"{"type":"response.create","response":{}}"#)
      #expect(try sent(line, plainFlat) == #"{"type":"response.create"}"#)
      #expect(try sent(line, smart) == #"{"type":"response.create","response":{"store":false}}"#)
      let flat = UpstreamDialect(envelope: .flat)
      #expect(try sent(line, flat) == #"{"type":"response.create","store":false}"#)
    }
  }

  @Test func storeIsForcedWhereTheUpstreamStoresNothing() throws {
    func body(_ members: String) -> String {
      #"{"type":"response.create","response":{\#(members)}}"#
    }
    #expect(try sent(body(#""a":1"#), smart) == body(#""a":1,"store":false"#))
    #expect(
      try sent(body(#""a":1, "store" : null ,"b":2"#), smart)
        == body(#""a":1, "store" : false ,"b":2"#))
    #expect(try sent(body(#""store":null"#), smart) == body(#""store":false"#))
    #expect(try sent(body(#""store":false"#), smart) == body(#""store":false"#))
    #expect(try sent(body(#""store":"no""#), smart) == body(#""store":"no""#))
    let error = #expect(throws: HotlineError.self) {
      try sent(body(#""store":true"#), smart)
    }
    #expect(error?.code == .invalidRequest)
    #expect(error?.param == "store")
    for value in ["true", "null", "false"] {
      #expect(
        try sent(body(#""store":\#(value)"#), plainNested) == body(#""store":\#(value)"#))
    }
  }

  /// Programs share a connection of the Realtime API, and are not to share what they say.
  @Test func responsesAreIsolatedWhereTheirServerJoinsThem() throws {
    let realtime = UpstreamDialect(
      envelope: .nested, forcesStoreFalse: false, isolatesResponses: true)
    func body(_ members: String) -> String {
      #"{"type":"response.create","response":{\#(members)}}"#
    }
    #expect(try sent(body(#""a":1"#), realtime) == body(#""a":1,"conversation":"none""#))
    #expect(try sent(body(""), realtime) == body(#""conversation":"none""#))
    for value in [#""auto""#, #""none""#, "null"] {
      let own = body(#""conversation":\#(value),"a":1"#)
      #expect(try sent(own, realtime) == own)
      #expect(try sent(own, plainNested) == own)
    }
    #expect(try sent(body(#""a":1"#), plainNested) == body(#""a":1"#))
  }

  @Test func aServerThatWouldSpeakIsAskedForText() throws {
    let realtime = UpstreamDialect(envelope: .nested, forcesStoreFalse: false, answersInText: true)
    func body(_ members: String) -> String {
      #"{"type":"response.create","response":{\#(members)}}"#
    }
    #expect(try sent(body(#""a":1"#), realtime) == body(#""a":1,"output_modalities":["text"]"#))
    for value in [#"["audio"]"#, "[]", "null"] {
      let own = body(#""output_modalities":\#(value),"a":1"#)
      #expect(try sent(own, realtime) == own)
    }
    #expect(try sent(body(#""a":1"#), plainNested) == body(#""a":1"#))
  }

  @Test func nullStoreBetweenCutMembersIsReplaced() throws {
    let line = #"{"type":"response.create","store":null,"stream":true,"a":1,"request_id":"x"}"#
    #expect(
      try sent(line, smart) == #"{"type":"response.create","response":{"store":false,"a":1}}"#)
  }

  @Test func defaultsAreFilledInWhereMissing() throws {
    let dialect = UpstreamDialect(
      envelope: .flat, defaultModel: "m\"1", defaultInstructions: "Be\nbrief.")
    #expect(
      try sent(#"{"type":"response.create","input":1}"#, dialect)
        == #"{"type":"response.create","input":1,"store":false,"model":"m\"1","#
        + #""instructions":"Be\nbrief."}"#)
    #expect(
      try sent(#"{"type":"response.create","model":null,"instructions":""}"#, dialect)
        == #"{"type":"response.create","model":null,"instructions":"","store":false}"#)
    let modelOnly = UpstreamDialect(forcesStoreFalse: false, defaultModel: "m")
    #expect(
      try sent(#"{"type":"response.create"}"#, modelOnly)
        == #"{"type":"response.create","response":{"model":"m"}}"#)
    #expect(
      try sent(#"{"type":"response.create","response":{"x":1}}"#, modelOnly)
        == #"{"type":"response.create","response":{"x":1,"model":"m"}}"#)
  }

  @Test func typicalRequestIsFewPieces() throws {
    let dialect = UpstreamDialect(defaultModel: "m", defaultInstructions: "i")
    let sample = ClientMessageSample(
      #"{"type":"response.create","request_id":"a","hotline":{},"response":{"input":[1,2,3]}}"#)
    let message = try dialect.message(for: try #require(sample.request).body)
    #expect(message.pieces.count <= 6)
    #expect(message.byteCount == message.pieces.reduce(0) { $0 + $1.byteCount })
    let lines = message.pieces.filter { if case .line = $0 { true } else { false } }
    #expect(lines.count == 1)
  }

  @Test func theLaneIsNamedBesideTheBodyInEitherEnvelope() throws {
    let line = #"{"type":"response.create","request_id":1,"input":2}"#
    #expect(
      try sent(line, plainNested, lane: 0)
        == #"{"type":"response.create","stream_id":"lane-1","response":{"input":2}}"#)
    #expect(
      try sent(line, plainFlat, lane: 15)
        == #"{"type":"response.create","stream_id":"lane-16","input":2}"#)
    let empty = #"{"type":"response.create"}"#
    #expect(
      try sent(empty, plainNested, lane: 1)
        == #"{"type":"response.create","stream_id":"lane-2","response":{}}"#)
    #expect(
      try sent(empty, plainFlat, lane: 1)
        == #"{"type":"response.create","stream_id":"lane-2"}"#)
    #expect(
      try sent(empty, UpstreamDialect(envelope: .flat), lane: 1)
        == #"{"type":"response.create","stream_id":"lane-2","store":false}"#)
  }

  @Test func aCancelNamesItsResponse() {
    let message = UpstreamMessage(cancelling: "r\"1")
    #expect(
      String(
        decoding: message.bytes(of: UnsafeRawBufferPointer(start: nil, count: 0)), as: UTF8.self)
        == #"{"type":"response.cancel","response_id":"r\"1"}"#)
  }

  @Test func theLaneCountsTowardsTheLimit() throws {
    let sample = ClientMessageSample(#"{"type":"response.create","input":"0123456789"}"#)
    let length = try #require(try sample.sent(plainFlat, lane: 0)).utf8.count
    let fits = UpstreamDialect(envelope: .flat, forcesStoreFalse: false, messageBytesMax: length)
    #expect(throws: Never.self) { try sample.sent(fits, lane: 0) }
    #expect(throws: HotlineError.self) { try sample.sent(fits, lane: 15) }
  }

  /// What another dialect has taken is sent as well as this one can.
  @Test func acceptedRequestsAreNotJudgedAgain() throws {
    let line = #"{"type":"response.create","response":{"store":true,"input":"0123456789"}}"#
    let strict = UpstreamDialect(envelope: .flat, defaultModel: "m", messageBytesMax: 1)
    let sample = ClientMessageSample(line)
    #expect(throws: HotlineError.self) { try sample.sent(strict) }
    #expect(
      sample.sentAsAccepted(strict, lane: 3)
        == #"{"type":"response.create","stream_id":"lane-4","store":true,"input":"0123456789","#
        + #""model":"m"}"#)
  }

  @Test func messageHasALimit() throws {
    let line = #"{"type":"response.create","response":{"input":"0123456789"}}"#
    let sample = ClientMessageSample(line)
    let fits = UpstreamDialect(forcesStoreFalse: false, messageBytesMax: line.utf8.count)
    #expect(try sample.sent(fits) == line)
    let tooSmall = UpstreamDialect(forcesStoreFalse: false, messageBytesMax: line.utf8.count - 1)
    let error = #expect(throws: HotlineError.self) { try sample.sent(tooSmall) }
    #expect(error?.code == .messageTooLarge)
    #expect(error?.origin == .client)
    #expect(error?.detail.contains("\(line.utf8.count)") == true)
    #expect(smart.messageBytesMax == 15 << 20)
  }

  @Test func largeMessageIsRefusedUncopied() throws {
    let dialect = UpstreamDialect(forcesStoreFalse: false)
    let frame = #"{"type":"response.create","response":{"input":""}}"#.utf8.count
    func line(_ messageBytes: Int) -> [UInt8] {
      Array(#"{"type":"response.create","response":{"input":""#.utf8)
        + Array(repeating: UInt8(ascii: "x"), count: messageBytes - frame) + Array(#""}}"#.utf8)
    }
    let fits = ClientMessageSample(line(15 << 20))
    #expect(try dialect.message(for: try #require(fits.request).body).byteCount == 15 << 20)
    let over = ClientMessageSample(line(15 << 20 + 1))
    let error = #expect(throws: HotlineError.self) {
      try dialect.message(for: try #require(over.request).body)
    }
    #expect(error?.code == .messageTooLarge)
  }

  @Test func responseIDIsFilledIntoForwardedMessages() throws {
    for dialect in [smart, plainFlat] {
      #expect(
        try ClientMessageSample(#"{"request_id":1,"type":"response.interrupt"}"#)
          .sent(dialect, to: "r\"1") == #"{"type":"response.interrupt","response_id":"r\"1"}"#)
      #expect(
        try ClientMessageSample(#"{"input":"x","type":"response.steer","request_id":1}"#)
          .sent(dialect, to: "r1")
          == #"{"input":"x","type":"response.steer","previous_response_id":"r1"}"#)
      #expect(
        try ClientMessageSample(
          #"{"type":"response.inject","response_id": null ,"request_id":1,"input":2}"#
        ).sent(dialect, to: "r1")
          == #"{"type":"response.inject","response_id": "r1" ,"input":2}"#)
    }
  }

  @Test func givenResponseIDMustBeTheRequests() throws {
    let sample = ClientMessageSample(
      #"{"type":"response.inject","request_id":1,"response_id":"r\u0031","input":2}"#)
    #expect(
      try sample.sent(smart, to: "r1")
        == #"{"type":"response.inject","response_id":"r\u0031","input":2}"#)
    let error = #expect(throws: HotlineError.self) { try sample.sent(smart, to: "r2") }
    #expect(error?.code == .invalidRequest)
    #expect(error?.param == "response_id")
  }

  @Test func forwardedMessageHasALimit() throws {
    let sample = ClientMessageSample(#"{"type":"response.inject","request_id":1}"#)
    let expected = #"{"type":"response.inject","response_id":"r"}"#
    let fits = UpstreamDialect(messageBytesMax: expected.utf8.count)
    #expect(try sample.sent(fits, to: "r") == expected)
    let tooSmall = UpstreamDialect(messageBytesMax: expected.utf8.count - 1)
    let error = #expect(throws: HotlineError.self) { try sample.sent(tooSmall, to: "r") }
    #expect(error?.code == .messageTooLarge)
  }
}
