import Fuzzing
import HotlineWire
import TestSupport
import Testing

@Suite struct LineFramerTests {
  enum Found: Hashable {
    case line(String)
    case tooLong
  }

  /// Feeds the pieces as a client handler would, and ends the input.
  private func found(in pieces: [ArraySlice<UInt8>], lineBytesMax: Int) -> [Found] {
    var framer = LineFramer(lineBytesMax: lineBytesMax)
    var unread: [UInt8] = []
    var result: [Found] = []
    func drain(_ ask: (inout LineFramer, UnsafeRawBufferPointer) -> LineFramer.Step) {
      while true {
        switch unread.withUnsafeBytes({ ask(&framer, $0) }) {
        case .line(let range, let consumed):
          result.append(.line(String(decoding: unread[range], as: UTF8.self)))
          unread.removeFirst(consumed)
        case .tooLong(let consumed):
          result.append(.tooLong)
          unread.removeFirst(consumed)
        case .discard(let consumed):
          #expect(consumed > 0)
          unread.removeFirst(consumed)
        case .needMore:
          // Never more is kept than a line and the CR that may belong to its end.
          #expect(unread.count <= lineBytesMax + 1)
          return
        }
      }
    }
    for piece in pieces {
      unread.append(contentsOf: piece)
      drain { $0.next(in: $1) }
    }
    drain { $0.finish(in: $1) }
    #expect(unread.isEmpty)
    return result
  }

  static let corpus: [(text: String, found: [Found])] = [
    ("", []), ("\n", []), ("\n\n\r\n  \n\t\r\n", []), ("  ", []), ("\r", []), ("\r\r\n", []),
    ("a\n", [.line("a")]), ("a", [.line("a")]), ("a\r", [.line("a")]), ("a\r\n", [.line("a")]),
    ("a\nb\n", [.line("a"), .line("b")]), ("a\r\n\r\nb", [.line("a"), .line("b")]),
    ("\n\na\n\n", [.line("a")]), (" a \n", [.line(" a ")]), ("a\rb\n", [.line("a\rb")]),
    ("\ra\n", [.line("\ra")]), ("a\r\r\n", [.line("a\r")]),
    ("12345678\n", [.line("12345678")]), ("12345678\r\n", [.line("12345678")]),
    ("12345678", [.line("12345678")]), ("12345678\r", [.line("12345678")]),
    ("123456789\n", [.tooLong]), ("123456789\r\n", [.tooLong]), ("123456789", [.tooLong]),
    ("12345678\r\r\n", [.tooLong]), ("12345678\r9\n", [.tooLong]), ("         \n", [.tooLong]),
    ("123456789012345678901234567890\na\n", [.tooLong, .line("a")]),
    ("123456789\n123456789\n", [.tooLong, .tooLong]),
    ("a\n123456789\n\nb\n", [.line("a"), .tooLong, .line("b")]),
    ("12345678\n12345678\n", [.line("12345678"), .line("12345678")]),
    ("123456789\n\n\n12345678", [.tooLong, .line("12345678")]), ("é€\n", [.line("é€")]),
    ("a\0b\n", [.line("a\0b")]),
  ]

  @Test(arguments: corpus.indices)
  func everySplitGivesTheSameLines(index: Int) {
    let (text, expected) = Self.corpus[index]
    let bytes = Array(text.utf8)
    #expect(found(in: [bytes[...]], lineBytesMax: 8) == expected)
    #expect(found(in: bytes.indices.map { bytes[$0...$0] }, lineBytesMax: 8) == expected)
    for first in 0...bytes.count {
      for second in first...bytes.count {
        let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
        #expect(found(in: pieces, lineBytesMax: 8) == expected)
      }
    }
  }

  @Test func documentsInPiecesGetTheVerdictThatTheyGetWhole() {
    var generator = JSONGenerator(seed: 17)
    for _ in 0..<300 {
      let document = generator.mutated().map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
      guard document.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { continue }
      let text = document + [0x0A]
      let split = generator.random.below(text.count + 1)
      var framer = LineFramer(lineBytesMax: 1 << 20)
      var step = text[..<split].withUnsafeBytes { framer.next(in: $0) }
      if split < text.count { #expect(step == .needMore) }
      if step == .needMore { step = text.withUnsafeBytes { framer.next(in: $0) } }
      #expect(step == .line(0..<document.count, consumed: text.count))
      text.withUnsafeBytes { bytes in
        let line = UnsafeRawBufferPointer(rebasing: bytes[..<document.count])
        #expect(verdict(line) == verdict(document))
      }
    }
  }

  @Test func stepsSayWhatToDrop() {
    var framer = LineFramer(lineBytesMax: 4)
    func next(_ text: String) -> LineFramer.Step {
      Array(text.utf8).withUnsafeBytes { framer.next(in: $0) }
    }
    #expect(next("") == .needMore)
    #expect(next("\n\nab\r\nc") == .line(2..<4, consumed: 6))
    #expect(next("c") == .needMore)
    #expect(next("cd\n") == .line(0..<2, consumed: 3))
    #expect(next(" \n\nab") == .discard(consumed: 3))
    #expect(next("ab") == .needMore)
    #expect(next("abcd") == .needMore)
    #expect(next("abcd\r") == .needMore)
    #expect(next("abcd\re") == .tooLong(consumed: 6))
    #expect(next("") == .needMore)
    #expect(next("fghijkl") == .discard(consumed: 7))
    #expect(next("m\n") == .discard(consumed: 2))
    #expect(next("n\n") == .line(0..<1, consumed: 2))
    #expect(next("abcde\nf") == .tooLong(consumed: 6))
    #expect(next("f\n") == .line(0..<1, consumed: 2))
  }

  /// With a byte searched twice this would take minutes.
  @Test func aLongLineInSmallPiecesTakesLinearTime() {
    let text = [UInt8](repeating: 0x61, count: 16 << 20)
    var framer = LineFramer(lineBytesMax: 64 << 20)
    text.withUnsafeBytes { bytes in
      for count in stride(from: 0, through: bytes.count, by: 64) {
        let step = framer.next(in: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        if step != .needMore { Issue.record("\(step) at \(count)") }
      }
    }
  }
}
