import Fuzzing
import HotlineWire
import TestSupport
import Testing

/// Bodies are opaque: what the daemon does not own goes through byte for byte.
@Suite struct PassThroughTests {
  /// Members as they could stand between two braces, white space and all; none is the daemon's own
  /// unless it is asked for.
  private func members(
    _ generator: inout JSONGenerator, own: [String] = []
  ) -> [(name: String?, text: [UInt8])] {
    let names =
      ["input", "metadata", "x", "x", "type ", "Store", "output", "", "é", #"\u0078"#, #"\"type"#]
      + own
    return (0..<generator.random.below(6)).map { _ in
      let name = generator.random.pick(names)
      let text =
        generator.space() + Array("\"\(name)\"".utf8) + generator.space() + [UInt8(ascii: ":")]
        + generator.valid()
      return (own.contains(name) ? name : nil, text)
    }
  }

  private func joined(_ members: [[UInt8]], _ generator: inout JSONGenerator) -> [UInt8] {
    members.isEmpty ? generator.space() : Array(members.joined(separator: [UInt8(ascii: ",")]))
  }

  /// A line has no LF in it; between tokens a space is as good.
  private func withoutLineFeeds(_ bytes: [UInt8]) -> [UInt8] {
    bytes.map { $0 == 0x0A ? 0x20 : $0 }
  }

  private func sent(_ line: [UInt8], _ envelope: RequestEnvelope) throws -> [UInt8] {
    let sample = ClientMessageSample(line)
    let request = try #require(sample.request, "\(String(decoding: line, as: UTF8.self))")
    let dialect = UpstreamDialect(envelope: envelope, forcesStoreFalse: false)
    let message = try dialect.message(for: request.body)
    return line.withUnsafeBytes { message.bytes(of: $0) }
  }

  @Test(arguments: 0..<8)
  func bodiesReachTheServerByteForByte(seed: UInt64) throws {
    var generator = JSONGenerator(seed: seed &+ 5000)
    let type = Array(#""type":"response.create""#.utf8)
    for _ in 0..<250 {
      let texts = members(&generator).map(\.text)
      let body = withoutLineFeeds(joined(texts, &generator))
      let comma: [UInt8] = texts.isEmpty ? [] : [0x2C]
      // A member that is taken out takes the white space along that is on its comma's side.
      let cutAhead = Array(body.drop(while: isSpace))
      let cutBehind = Array(body.reversed().drop(while: isSpace).reversed())
      let ahead = [0x7B] + type + comma + body + [0x7D]
      let behind = [0x7B] + body + comma + type + [0x7D]
      let nested = inNested(body)
      #expect(try sent(nested, .nested) == (texts.isEmpty ? inNested([]) : nested))
      #expect(try sent(ahead, .nested) == inNested(cutAhead))
      #expect(try sent(behind, .nested) == inNested(cutBehind))
      let flat = [0x7B] + type + comma
      #expect(try sent(nested, .flat) == flat + (texts.isEmpty ? [] : body) + [0x7D])
      #expect(try sent(ahead, .flat) == flat + cutAhead + [0x7D])
      #expect(try sent(behind, .flat) == flat + cutBehind + [0x7D])
    }
  }

  private func inNested(_ body: [UInt8]) -> [UInt8] {
    Array(#"{"type":"response.create","response":{"#.utf8) + body + [0x7D, 0x7D]
  }

  private func isSpace(_ byte: UInt8) -> Bool { " \t\r\n".utf8.contains(byte) }

  @Test(arguments: 0..<8)
  func eventsReachTheClientByteForByte(seed: UInt64) throws {
    var generator = JSONGenerator(seed: seed &+ 6000)
    let own = ["request_id", "hotline", #"request\u005fid"#, #"\u0068otline"#]
    let renamed = ["request_id", "hotline", "request_id", "hotline"].map { "upstream_\($0)" }
    for _ in 0..<250 {
      let all = members(&generator, own: own)
      let before = generator.space()
      let after = generator.space()
      let inside = joined(all.map(\.text), &generator)
      let event = before + [0x7B] + inside + [0x7D] + after
      let expected = all.map { member -> [UInt8] in
        guard let name = member.name, let index = own.firstIndex(of: name) else {
          return member.text
        }
        let text = String(decoding: member.text, as: UTF8.self)
        return Array(
          text.replacing("\"\(name)\"", with: "\"\(renamed[index])\"", maxReplacements: 1).utf8)
      }
      let comma: [UInt8] = all.isEmpty ? [] : [0x2C]
      let body = all.isEmpty ? inside : Array(expected.joined(separator: [0x2C]))
      let line =
        before + Array(#"{"request_id":"id-\u00e9""#.utf8) + comma + body + [0x7D] + after
      try event.withUnsafeBytes { bytes in
        let envelope = try UpstreamEnvelope(bytes)
        let written = envelope.line(of: bytes, requestID: Array(#""id-\u00e9""#.utf8))
        #expect(
          written == withoutLineFeeds(line) + [0x0A], "\(String(decoding: event, as: UTF8.self))")
      }
    }
  }

  /// The generator makes what is to be passed through; else the tests above would show little.
  @Test func theGeneratorMakesWhatMatters() {
    var generator = JSONGenerator(seed: 1)
    var texts = ""
    for _ in 0..<3000 { texts += String(decoding: generator.valid(), as: UTF8.self) + "\n" }
    for piece in ["\\u00e9", "\\ud83d\\ude00", "\r", "\t", "é", "e+", "E-", "-0", "[]", "{}"] {
      #expect(texts.contains(piece), "\(piece)")
    }
    #expect(texts.firstMatch(of: #/[0-9]{20}/#) != nil, "no number beyond a double's digits")
    #expect(texts.firstMatch(of: #/[eE]\+?[0-9]{4}/#) != nil, "no number beyond a double's range")
    #expect(texts.firstMatch(of: #/("[a-z]+"):1?[^{}\[\]]*,\s*\1\s*:/#) != nil, "no name twice")
  }
}
