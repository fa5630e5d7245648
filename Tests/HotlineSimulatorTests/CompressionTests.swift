import TestSupport
import Testing

@testable import HotlineSimulator

/// permessage-deflate, RFC 7692.
@Suite struct CompressionTests {
  private static let offer = "permessage-deflate; client_max_window_bits"

  private func answer(_ setting: String, _ offers: String...) throws -> String? {
    try CompressionTerms(parsing: setting).agreed(to: offers)?.field
  }

  @Test func whatIsSetIsAnsweredWhereItIsOffered() throws {
    #expect(try answer("on", Self.offer) == "permessage-deflate")
    let all =
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      + "server_max_window_bits=9; client_max_window_bits=8"
    let setting = String(all.dropFirst("permessage-deflate; ".count))
    #expect(try answer(setting, Self.offer) == all)
    #expect(try answer("on") == nil)
    #expect(try answer("on", "x-other", "permessage-bzip2; a=b") == nil)
    #expect(try answer("on", "x-other, permessage-deflate") == "permessage-deflate")
  }

  @Test(arguments: [
    ("permessage-deflate; server_no_context_takeover", "; server_no_context_takeover"),
    ("permessage-deflate; client_no_context_takeover", ""),
    ("permessage-deflate; server_max_window_bits=10", "; server_max_window_bits=10"),
    ("permessage-deflate; client_max_window_bits=\"12\"", "; client_max_window_bits=12"),
  ])
  func whatTheClientAsksForIsKeptTo(offer: String, parameters: String) throws {
    #expect(try answer("on", offer) == "permessage-deflate" + parameters)
  }

  @Test func theSmallerOfTwoWindowsIsTaken() throws {
    let setting = "server_max_window_bits=11; client_max_window_bits=11"
    for (bits, agreed) in [(10, 10), (12, 11)] {
      let offer =
        "permessage-deflate; server_max_window_bits=\(bits); client_max_window_bits=\(bits)"
      #expect(
        try answer(setting, offer) == "permessage-deflate; server_max_window_bits=\(agreed); "
          + "client_max_window_bits=\(agreed)")
    }
  }

  @Test(arguments: [
    "permessage-deflate; unknown", "permessage-deflate; server_max_window_bits",
    "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; client_max_window_bits=07", "permessage-deflate=1",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; client_max_window_bits; client_max_window_bits",
  ])
  func anOfferThatCannotBeMetIsPassedOverForTheNext(offer: String) throws {
    #expect(try answer("on", offer) == nil)
    #expect(try answer("on", offer, Self.offer) == "permessage-deflate")
    #expect(try answer("on", "\(offer), \(Self.offer)") == "permessage-deflate")
  }

  @Test func aClientThatCannotLimitItsWindowIsNotTold() throws {
    let setting = "client_max_window_bits=10"
    #expect(try answer(setting, "permessage-deflate") == nil)
    #expect(
      try answer(setting, "permessage-deflate", Self.offer)
        == "permessage-deflate; client_max_window_bits=10")
  }

  @Test(arguments: [
    "off", "server_no_context_takeover=1", "server_max_window_bits=8", "client_max_window_bits",
    "client_max_window_bits=16",
  ])
  func aSettingThatIsNotUnderstoodIsNamed(text: String) {
    let error = #expect(throws: SimulatorError.self) { try CompressionTerms(parsing: text) }
    let name = text.prefix { $0 != "=" }
    #expect(error.map { "\($0)".contains(name) } == true)
  }

  // MARK: Messages

  private func request(_ text: String) -> [UInt8] {
    Array(
      #"{"type":"response.create","response":{"model":"m","store":false,"input":"\#(text)"}}"#.utf8)
  }

  /// The texts of an answer, decompressed, up to its terminal event.
  private func answer(
    of socket: PlainWebSocket, with inflater: RawDeflate, isAnew: Bool = false
  ) throws -> [String] {
    var texts: [String] = []
    while texts.last.map({ !$0.contains("response.completed") }) ?? true {
      let frame = try #require(socket.nextFrame())
      #expect(frame.first == 0xC1)
      let text = try #require(inflater.decompress(frame.payload, isAnew: isAnew))
      texts.append(String(decoding: text, as: UTF8.self))
    }
    return texts
  }

  @Test(arguments: [
    "on", "server_no_context_takeover; client_no_context_takeover",
    "server_max_window_bits=9; client_max_window_bits=9",
  ])
  func messagesAreCompressedBothWaysAsAgreed(setting: String) async throws {
    try await withSimulator(["compression": setting, "deltas": "3"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port, extensions: Self.offer)
      let field = try CompressionTerms(parsing: setting).field
      #expect(socket.head.contains("Sec-WebSocket-Extensions: \(field)\r\n"), "\(socket.head)")
      let isAnew = setting.hasPrefix("server_no")
      let bits = setting.hasPrefix("server_max") ? 9 : 15
      // What refers farther back than was agreed fails.
      let other = RawDeflate(windowBits: bits, clientWindowBits: bits)
      for text in ["one", "two", String(repeating: "Hello,hello!", count: 100)] {
        let message = other.compress(request(text), isAnew: isAnew)
        let half = message.count / 2
        socket.sendFrame(0x41, Array(message[..<half]))
        socket.sendFrame(0x80, Array(message[half...]))
        let answer = try answer(of: socket, with: other, isAnew: isAnew)
        #expect(answer.contains { $0.contains(text) }, "\(answer)")
      }
      let statistics = try await simulator.statistics()
      #expect(statistics.compressedMessagesReceived == 3)
      #expect(statistics.compressedMessagesSent == statistics.messagesSent)
      #expect(statistics.violations == 0)
    }
  }

  @Test func aMessageMayComeUncompressedToo() async throws {
    try await withSimulator(["compression": "on", "deltas": "0"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port, extensions: Self.offer)
      socket.sendFrame(0x81, request("x"))
      #expect(try !answer(of: socket, with: RawDeflate()).isEmpty)
      #expect(try await simulator.statistics().compressedMessagesReceived == 0)
    }
  }

  @Test func whatCannotBeInflatedOrWasNotAgreedIsAViolation() async throws {
    for setting in ["on", "none"] {
      try await withSimulator(["compression": setting]) { simulator in
        let socket = try PlainWebSocket(port: simulator.port, extensions: Self.offer)
        #expect(socket.head.contains("permessage-deflate") == (setting == "on"))
        socket.sendFrame(0xC1, [0xFF, 0xFF])
        guard case .close(code: 1002, _) = socket.next() else {
          Issue.record("not closed with 1002")
          return
        }
        #expect(try await simulator.statistics().violations == 1)
      }
    }
  }

  @Test func aMessageThatInflatesBeyondTheLimitIsClosedWith1009() async throws {
    let settings = ["compression": "on", "message-bytes-max": "100000"]
    try await withSimulator(settings) { simulator in
      let socket = try PlainWebSocket(port: simulator.port, extensions: Self.offer)
      socket.sendFrame(0xC1, RawDeflate().compress([UInt8](repeating: 0x20, count: 5_000_000)))
      guard case .close(code: 1009, _) = socket.next() else {
        Issue.record("not closed with 1009")
        return
      }
    }
  }
}
