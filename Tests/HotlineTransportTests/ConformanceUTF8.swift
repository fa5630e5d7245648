import TestSupport

@testable import HotlineTransport

/// Category 6: UTF-8, well-formed and not, and how early that is told.
extension ConformanceCase {
  static let utf8: [ConformanceCase] = valid + invalid + early

  /// Edges of each length, noncharacters, and words: all of them are UTF-8.
  private static let validTexts: [(String, [UInt8])] = [
    ("nothing", []),
    ("U+0000", [0x00]),
    ("U+007F", [0x7F]),
    ("U+0080", [0xC2, 0x80]),
    ("U+07FF", [0xDF, 0xBF]),
    ("U+0800", [0xE0, 0xA0, 0x80]),
    ("U+D7FF", [0xED, 0x9F, 0xBF]),
    ("U+E000", [0xEE, 0x80, 0x80]),
    ("U+FFFD", [0xEF, 0xBF, 0xBD]),
    ("U+FFFE", [0xEF, 0xBF, 0xBE]),
    ("U+FFFF", [0xEF, 0xBF, 0xBF]),
    ("U+FEFF", [0xEF, 0xBB, 0xBF]),
    ("U+10000", [0xF0, 0x90, 0x80, 0x80]),
    ("U+1FFFE", [0xF0, 0x9F, 0xBF, 0xBE]),
    ("U+10FFFF", [0xF4, 0x8F, 0xBF, 0xBF]),
    ("kosme", Array("κόσμε".utf8)),
    ("words of four scripts", Array("Hello-µ@ßöäüàá-UTF-8!! 日本語 العربية".utf8)),
    ("emoji with joiners", Array("👩‍👩‍👧‍👦 😀".utf8)),
  ]

  private static let valid: [ConformanceCase] = validTexts.enumerated().flatMap { index, text in
    [
      ConformanceCase("6.1.\(index + 1).1", text.0) {
        .sends(Wire.text(text.1), delivers: [.text(text.1)])
      },
      ConformanceCase("6.1.\(index + 1).2", "\(text.0) in fragments of one byte") {
        .sends(Wire.fragments(text.1, of: 1), delivers: [.text(text.1)])
      },
      ConformanceCase("6.1.\(index + 1).3", "\(text.0) inside a text, byte by byte") {
        let whole = Array("<".utf8) + text.1 + Array(">".utf8)
        return .sends(Wire.text(whole), delivers: [.text(whole)]).inPieces(of: 1)
      },
    ]
  }

  /// After Markus Kuhn's list of what a decoder must refuse.
  private static let invalidTexts: [(String, [UInt8])] = [
    ("a continuation byte alone", [0x80]),
    ("the last continuation byte alone", [0xBF]),
    ("two continuation bytes", [0x80, 0xBF]),
    ("a lead of two alone", [0xC3]),
    ("a lead of two before a space", [0xC3, 0x20]),
    ("a lead of three alone", [0xE2]),
    ("a lead of three cut after two", [0xE2, 0x82]),
    ("a lead of four cut after two", [0xF0, 0x9F]),
    ("a lead of four cut after three", [0xF0, 0x9F, 0x98]),
    ("0xFE", [0xFE]),
    ("0xFF", [0xFF]),
    ("an overlong slash in two", [0xC0, 0xAF]),
    ("an overlong slash in three", [0xE0, 0x80, 0xAF]),
    ("an overlong slash in four", [0xF0, 0x80, 0x80, 0xAF]),
    ("an overlong U+007F", [0xC1, 0xBF]),
    ("an overlong U+07FF", [0xE0, 0x9F, 0xBF]),
    ("an overlong U+FFFF", [0xF0, 0x8F, 0xBF, 0xBF]),
    ("an overlong NUL", [0xC0, 0x80]),
    ("the surrogate D800", [0xED, 0xA0, 0x80]),
    ("the surrogate DFFF", [0xED, 0xBF, 0xBF]),
    ("a pair of surrogates", [0xED, 0xA0, 0x81, 0xED, 0xB0, 0x80]),
    ("U+110000", [0xF4, 0x90, 0x80, 0x80]),
    ("a lead of F5", [0xF5, 0x80, 0x80, 0x80]),
    ("five bytes", [0xF8, 0x88, 0x80, 0x80, 0x80]),
    ("six bytes", [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80]),
    ("kosme and a surrogate", Array("κόσμε".utf8) + [0xED, 0xA0, 0x80] + Array("edited".utf8)),
  ]

  private static let invalid: [ConformanceCase] = invalidTexts.enumerated().flatMap {
    index, text in
    [
      ConformanceCase("6.2.\(index + 1).1", text.0) {
        .sends(Wire.text(text.1), end: .failed(1007))
      },
      ConformanceCase("6.2.\(index + 1).2", "\(text.0) in the last of two fragments") {
        .sends(
          Wire.text("Hello ", fin: false), Wire.more(text.1, fin: true), end: .failed(1007))
      },
    ]
  }

  /// The rest of the message never comes: it is not waited for.
  private static let early: [ConformanceCase] = [
    ("a frame cut after a bad byte", [0x81, 126, 0x03, 0xE8, 0x61, 0xFF]),
    ("a frame cut after a bad second byte", [0x81, 126, 0x03, 0xE8, 0x61, 0xF4, 0x90]),
    ("a frame cut after a bad third byte", [0x81, 126, 0x03, 0xE8, 0xE2, 0x82, 0x28]),
    ("a first fragment with a bad byte", [0x01, 3, 0x61, 0xC0, 0x80]),
    ("a first fragment with half a surrogate", [0x01, 3, 0x61, 0xED, 0xA0]),
    ("a bad byte after a fragment that cuts a character", [0x01, 2, 0x61, 0xE2, 0x00, 1, 0x28]),
    ("a second fragment cut after a bad byte", [0x01, 1, 0x61, 0x00, 9, 0x62, 0xFF]),
    ("a last fragment cut after a bad byte", [0x01, 1, 0xC3, 0x80, 9, 0xA9, 0xFF]),
  ].enumerated().flatMap { (index, frames: (String, [UInt8])) in
    [
      ConformanceCase("6.3.\(index + 1).1", frames.0) { .sends(frames.1, end: .failed(1007)) },
      ConformanceCase("6.3.\(index + 1).2", "\(frames.0), byte by byte") {
        .sends(frames.1, end: .failed(1007)).inPieces(of: 1)
      },
    ]
  }
}
