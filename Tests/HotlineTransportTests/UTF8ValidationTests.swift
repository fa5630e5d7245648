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
