import HotlineWire
import Testing

@testable import hotline

@Suite struct AnswerTextTests {
  /// The text of deltas given as JSON string literals without quotes.
  private func text(_ spellings: [String], dropsControls: Bool = false) throws -> String {
    var text = AnswerText(dropsControls: dropsControls)
    var out = ByteQueue()
    for spelling in spellings {
      try Array("\"\(spelling)\"".utf8).withUnsafeBytes { bytes in
        var scanner = JSONScanner(bytes)
        let delta = try #require(try scanner.skipValue().text)
        text.append(delta, in: bytes, to: &out)
      }
    }
    text.finish(to: &out)
    let result = out.withUnread { String(validating: $0, as: UTF8.self) }
    return try #require(result)
  }

  @Test func everySplitBetweenEscapesGivesTheSameText() throws {
    let pieces = ["a", #"\ud83d"#, #"\ude00"#, "é", #"\u0000"#, #"\udbff"#, #"\udfff"#, "😀", "z"]
    for first in 0...pieces.count {
      for second in first...pieces.count {
        let parts = [pieces[..<first], pieces[first..<second], pieces[second...]]
        #expect(
          try text(parts.map { $0.joined() }) == "a😀é\u{0}\u{10FFFF}😀z")
      }
    }
  }

  @Test func loneSurrogatesBecomeReplacementCharacters() throws {
    #expect(try text([#"\ude00"#]) == "\u{FFFD}")
    #expect(try text([#"\ud83d"#, "x"]) == "\u{FFFD}x")
    #expect(try text([#"\ud83d"#, #"\ud83d\ude00"#]) == "\u{FFFD}😀")
    #expect(try text([#"\ud83d"#]) == "\u{FFFD}")
    #expect(try text([#"\ud83d"#, "", #"\ude00"#]) == "😀")
  }

  @Test func exactlyTheControlCharactersAreDropped() throws {
    for value in UInt32(0)...0x100 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let digits = String(value, radix: 16)
      let spelling = "<\\u" + String(repeating: "0", count: 4 - digits.count) + digits + ">"
      let isControl = scalar.properties.generalCategory == .control
      let isKept = !isControl || scalar == "\n" || scalar == "\t"
      #expect(try text([spelling], dropsControls: true) == (isKept ? "<\(scalar)>" : "<>"))
      #expect(try text([spelling]) == "<\(scalar)>")
    }
  }

  @Test func knowsWhetherTheLineIsEnded() {
    func endsLine(_ delta: String) -> Bool {
      var text = AnswerText(dropsControls: true)
      var out = ByteQueue()
      Array("\"\(delta)\"".utf8).withUnsafeBytes { bytes in
        var scanner = JSONScanner(bytes)
        if let delta = (try? scanner.skipValue())?.text {
          text.append(delta, in: bytes, to: &out)
        }
      }
      return text.endsLine
    }
    #expect(endsLine(""))
    #expect(!endsLine("x"))
    #expect(endsLine(#"x\n"#))
    #expect(endsLine(#"x\n\u001b"#))
    #expect(!endsLine(#"x\n\t"#))
  }
}
