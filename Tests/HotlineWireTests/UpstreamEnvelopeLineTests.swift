import Fuzzing
import HotlineWire
import TestSupport
import Testing

@Suite struct UpstreamEnvelopeLineTests {
  private func line(_ message: String, requestID: String = "\"a1\"") throws -> String {
    String(decoding: try lineBytes(Array(message.utf8), requestID: requestID), as: UTF8.self)
  }

  private func lineBytes(_ message: [UInt8], requestID: String) throws -> [UInt8] {
    try message.withUnsafeBytes { bytes in
      let envelope = try UpstreamEnvelope(bytes)
      return envelope.line(of: bytes, requestID: Array(requestID.utf8))
    }
  }

  static let lines: [(message: String, line: String)] = [
    (#"{"type":"x"}"#, #"{"request_id":"a1","type":"x"}"#),
    ("{}", #"{"request_id":"a1"}"#),
    ("{ }", #"{"request_id":"a1" }"#),
    ("{\n}", #"{"request_id":"a1" }"#),
    (" {} ", #" {"request_id":"a1"} "#),
    (#"  {"a":1}"#, #"  {"request_id":"a1","a":1}"#),
    (#"{ "a":1 }"#, #"{"request_id":"a1", "a":1 }"#),
    ("\n{\n\"a\":\r\n[\n1\n]\n}\n", "{REQ, \"a\":\r [ 1 ] } "),
    (#"{"a":"\n"}"#, #"{"request_id":"a1","a":"\n"}"#),
    (#"{"request_id":"own"}"#, #"{"request_id":"a1","upstream_request_id":"own"}"#),
    (#"{"request_\u0069d":1}"#, #"{"request_id":"a1","upstream_request_id":1}"#),
    (#"{"hotline":{}}"#, #"{"request_id":"a1","upstream_hotline":{}}"#),
    (#"{"h\u006ftline":{}}"#, #"{"request_id":"a1","upstream_hotline":{}}"#),
    (
      #"{"hotline":1,"x":2,"request_id":3,"hotline":4,"request_id":5}"#,
      #"{"request_id":"a1","upstream_hotline":1,"x":2,"upstream_request_id":3,"#
        + #""upstream_hotline":4,"upstream_request_id":5}"#
    ),
    (
      #"{"a":{"request_id":1,"hotline":2},"b":"request_id"}"#,
      #"{"request_id":"a1","a":{"request_id":1,"hotline":2},"b":"request_id"}"#
    ),
    (
      #"{"request_ids":1,"Hotline":2,"hotline ":3}"#,
      #"{"request_id":"a1","request_ids":1,"Hotline":2,"hotline ":3}"#
    ),
    (
      #"{"n":1.50e+3,"u":"\u00e9\/é","d":1,"d":2}"#,
      #"{"request_id":"a1","n":1.50e+3,"u":"\u00e9\/é","d":1,"d":2}"#
    ),
  ]

  @Test(arguments: lines.indices)
  func lineIsTheEventWithTheRequestID(index: Int) throws {
    let (message, expected) = Self.lines[index]
    let request = expected.replacing("{REQ", with: " {\"request_id\":\"a1\"")
    #expect(try line(message) == request + "\n")
  }

  @Test func requestIDIsWrittenAsSpelt() throws {
    #expect(try line("{\"a\":1}", requestID: "-007") == "{\"request_id\":-007,\"a\":1}\n")
    #expect(try line("{}", requestID: #""\u0061""#) == "{\"request_id\":\"\\u0061\"}\n")
  }

  @Test func lineFillsExactlyTheRoomThatItAskedFor() throws {
    for (message, _) in Self.lines {
      try Array(message.utf8).withUnsafeBytes { bytes in
        let envelope = try UpstreamEnvelope(bytes)
        let count = envelope.lineByteCount(messageCount: bytes.count, requestIDCount: 1)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: count + 1, alignment: 1)
        defer { room.deallocate() }
        room.initializeMemory(as: UInt8.self, repeating: 0xFF)
        let written = Array("7".utf8).withUnsafeBytes {
          envelope.writeLine(of: bytes, requestID: $0, into: room)
        }
        #expect(written == count)
        #expect(room[count - 1] == 0x0A && room[count] == 0xFF)
        #expect(!room[..<count].contains(0xFF))
      }
    }
  }

  @Test func withoutTheSplicedMemberTheEventIsWhatItWas() throws {
    var generator = JSONGenerator(seed: 41)
    var checkedCount = 0
    while checkedCount < 3000 {
      let message = generator.valid()
      guard message.first(where: { !" \t\n\r".utf8.contains($0) }) == UInt8(ascii: "{") else {
        continue
      }
      checkedCount += 1
      var line = try lineBytes(message, requestID: "\"id-7\"")
      #expect(line.popLast() == 0x0A)
      #expect(!line.contains(0x0A))
      #expect(verdict(line) == nil)
      let brace = try #require(line.firstIndex(of: UInt8(ascii: "{")))
      let member = Array(#""request_id":"id-7""#.utf8)
      let afterMember = brace + 1 + member.count
      #expect(Array(line[brace + 1..<afterMember]) == member)
      let hasComma = line[afterMember] == UInt8(ascii: ",")
      line.removeSubrange(brace + 1..<afterMember + (hasComma ? 1 : 0))
      #expect(line == message.map { $0 == 0x0A ? 0x20 : $0 })
    }
  }
}
