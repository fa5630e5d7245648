import HotlineWire
import Testing

@testable import HotlineTransport

struct UTF8ValidationTests {
  private func isValid(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { UTF8Sequence.isValid($0) }
  }

  @Test func everyScalarIsValid() {
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value), let bytes = UTF8.encode(scalar) else { continue }
      guard !isValid(Array(bytes)) else { continue }
      Issue.record("U+\(String(value, radix: 16)) was refused")
    }
  }

  @Test(
    arguments: [
      [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x9F, 0xBF],
      [0xE0, 0xA0], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xEF, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE],
      [0xFF], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28], [0xF0, 0x9F, 0x98],
    ] as [[UInt8]])
  func illFormedSequenceIsRefusedAnywhere(_ sequence: [UInt8]) {
    for before in 0...40 {
      let text = [UInt8](repeating: 0x61, count: before) + sequence
      #expect(!isValid(text))
      #expect(!isValid(text + [UInt8](repeating: 0x61, count: 40 - before)))
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func agreesWithTheStandardLibrary(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let pool: [UInt8] = [0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE0, 0xE2]
    let leads: [UInt8] = [0xED, 0xF0, 0xF4, 0xF5]
    for _ in 0..<5000 {
      let bytes = (0..<Int.random(in: 0...6, using: &random)).compactMap { _ in
        (pool + leads).randomElement(using: &random)
      }
      #expect(isValid(bytes) == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
    }
  }
}

struct UTF8ValidatorTests {
  /// Whether it says no, and whether it ends with a whole character.
  private func outcome(
    _ bytes: [UInt8], cutAt cuts: [Int]
  ) -> (refused: Bool, isAtBoundary: Bool) {
    var validator = UTF8Validator()
    var start = 0
    for end in cuts + [bytes.count] {
      let isTaken = bytes[start..<end].withUnsafeBytes { validator.append($0) }
      guard isTaken else { return (true, false) }
      start = end
    }
    return (false, validator.isAtBoundary)
  }

  /// Whether some continuation of `bytes` is UTF-8, by brute force with the standard library.
  private func canBecomeValid(_ bytes: [UInt8]) -> Bool {
    let endings: [[UInt8]] = [
      [], [0x80], [0xBF], [0x80, 0x80], [0xBF, 0xBF], [0x90, 0x80, 0x80], [0xA0, 0x80],
      [0x9F, 0xBF], [0x8F, 0xBF, 0xBF], [0xBF, 0xBF, 0xBF], [0x80, 0x80, 0x80],
    ]
    return endings.contains { String(validating: bytes + $0, as: UTF8.self) != nil }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func refusesAtTheFirstByteThatCannotBe(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let pool: [UInt8] = [
      0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE2, 0xED, 0xEF,
      0xF0, 0xF3, 0xF4, 0xF5, 0xFF,
    ]
    for _ in 0..<3000 {
      let bytes = (0..<Int.random(in: 0...7, using: &random)).compactMap { _ in
        pool.randomElement(using: &random)
      }
      let cuts = (0..<2).map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()
      let (refused, isAtBoundary) = outcome(bytes, cutAt: cuts)
      #expect(refused == !canBecomeValid(bytes), "\(bytes) \(cuts)")
      guard !refused else { continue }
      #expect(isAtBoundary == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
    }
  }

  @Test func longTextIsTakenHoweverItIsCut() {
    let bytes = Array(String(repeating: "aé日😀", count: 20).utf8)
    for first in 0...bytes.count {
      let (refused, isAtBoundary) = outcome(bytes, cutAt: [first, min(first + 5, bytes.count)])
      #expect(!refused)
      #expect(isAtBoundary)
    }
  }
}
