import Fuzzing
import HotlineCore
import HotlineWire
import TestSupport
import Testing

@Suite struct JSONStringTests {
  private func literal(_ text: [UInt8]) -> String {
    var out: [UInt8] = []
    JSONString.append(text, to: &out)
    return String(decoding: out, as: UTF8.self)
  }

  private func decoded(_ literal: [UInt8]) throws -> [UInt8] {
    try literal.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      let value = try scanner.skipValue()
      try scanner.finish()
      return try #require(value.text).decoded(in: bytes).bytes
    }
  }

  @Test func quoteBackslashAndControlsAreEscaped() {
    #expect(literal(Array("a\"b\\c/\u{8}\t\n\u{c}\r".utf8)) == #""a\"b\\c/\b\t\n\f\r""#)
    #expect(literal([0x00, 0x1F, 0x7F]) == #""\u0000\u001f\u007f""#)
    #expect(literal(Array("é€😀\u{2028}".utf8)) == "\"é€😀\u{2028}\"")
    #expect(literal([]) == "\"\"")
  }

  @Test func illFormedBytesBecomeReplacementCharactersAsStringHasIt() throws {
    var random = SplitMix64(seed: 3)
    let pool: [UInt8] = [0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0x9F, 0x90]
    var checkedCount = 0
    for _ in 0..<20_000 {
      let text = (0..<random.below(8)).map { _ in
        random.oneIn(4) ? UInt8(random.below(256)) : pool[random.below(pool.count)]
      }
      // Surrogates have a meaning of their own here.
      guard !zip(text, text.dropFirst()).contains(where: { $0 == 0xED && $1 >= 0xA0 }) else {
        continue
      }
      var out: [UInt8] = []
      JSONString.append(text, to: &out)
      #expect(try decoded(out) == Array(String(decoding: text, as: UTF8.self).utf8))
      checkedCount += 1
    }
    #expect(checkedCount > 10_000)
  }

  @Test func loneSurrogatesSurviveDecodingAndEncoding() throws {
    let bytes = try decoded(Array(#""a\ud800b\udfff""#.utf8))
    #expect(bytes == [0x61, 0xED, 0xA0, 0x80, 0x62, 0xED, 0xBF, 0xBF])
    #expect(literal(bytes) == #""a\ud800b\udfff""#)
    #expect(try decoded(Array(#""\ud83d\ude00""#.utf8)) == Array("😀".utf8))
    #expect(try decoded(Array(#""\ude00\ud83d""#.utf8)).count == 6)
    #expect(try decoded(Array(#""\ud83d\ud83d\ude00""#.utf8)).count == 7)
    #expect(try decoded(Array(#""\ud83d\\ude00""#.utf8)).count == 9)
  }

  @Test func escapesAreResolved() throws {
    #expect(
      try decoded(Array(#""\"\\\/\b\f\n\r\t""#.utf8))
        == [0x22, 0x5C, 0x2F, 0x08, 0x0C, 0x0A, 0x0D, 0x09])
    #expect(try decoded(Array(#""\u0041\u00E9\u20ac\u0000""#.utf8)) == Array("Aé€\0".utf8))
    #expect(try decoded(Array(#""\\u0041""#.utf8)) == Array(#"\u0041"#.utf8))
  }

  @Test func everyCharacterComesBackFromEncodingAndFromItsEscape() throws {
    var scalars: [UInt32] = Array(0..<0x900)
    scalars += [0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFEFF, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF]
    for value in scalars {
      let character = String(try #require(Unicode.Scalar(value)))
      var out: [UInt8] = []
      JSONString.append(character, to: &out)
      #expect(try decoded(out) == Array(character.utf8))
      let escape = character.utf16.map { unit in
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
      #expect(try decoded(Array("\"\(escape.joined())\"".utf8)) == Array(character.utf8))
    }
  }

  @Test func randomTextComesBack() throws {
    var random = SplitMix64(seed: 9)
    for _ in 0..<2000 {
      let scalars = (0..<random.below(30)).compactMap { _ in
        Unicode.Scalar(UInt32(random.below(random.pick([0x80, 0x800, 0x10000, 0x110000]))))
      }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars)
      var out: [UInt8] = []
      JSONString.append(String(text), to: &out)
      #expect(verdict(out) == nil)
      #expect(try decoded(out) == Array(String(text).utf8))
    }
  }

  @Test func namesAreComparedDecoded() throws {
    let equal = [#""type""#, #""\u0074ype""#, #""t\u0079\u0070e""#]
    let different = [
      #""typ""#, #""types""#, #""""#, #""\u0054ype""#, #""type\u0000""#, #""ty\\u0070e""#,
      #""\u0074yp""#,
    ]
    for (literals, isEqual) in [(equal, true), (different, false)] {
      for literal in literals {
        try Array(literal.utf8).withUnsafeBytes { bytes in
          var scanner = JSONScanner(bytes)
          let text = try #require(try scanner.skipValue().text)
          #expect(text.equals("type", in: bytes) == isEqual, "\(literal)")
        }
      }
    }
    try Array(#""hot\u006cine.x""#.utf8).withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      let text = try #require(try scanner.skipValue().text)
      #expect(text.starts(with: "hotline.", in: bytes))
      #expect(!text.starts(with: "hotline.x.", in: bytes))
    }
  }
}
