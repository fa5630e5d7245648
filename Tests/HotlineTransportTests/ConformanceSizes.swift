import TestSupport

@testable import HotlineTransport

/// Category 9: sizes, and the limit.
extension ConformanceCase {
  static let sizes: [ConformanceCase] = large + cut + many + limits

  private static let large: [ConformanceCase] = [64, 256, 1024, 4096].flatMap { kibibytes in
    [
      ConformanceCase("9.1.\(kibibytes)", "a text of \(kibibytes) KiB") {
        let text = Sample.text(kibibytes << 10)
        return .sends(Wire.text(text), delivers: [.text(text)])
      },
      ConformanceCase("9.2.\(kibibytes)", "a binary of \(kibibytes) KiB") {
        let bytes = Sample.noise(kibibytes << 10)
        return .sends(Wire.binary(bytes), delivers: [.binary(bytes)])
      },
    ]
  }

  private static let cut: [ConformanceCase] = [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10]
    .flatMap { count in
      [
        ConformanceCase("9.3.\(count)", "a text of 256 KiB in fragments of \(count)") {
          let text = Sample.text(256 << 10)
          return .sends(Wire.fragments(text, of: count), delivers: [.text(text)])
        },
        ConformanceCase("9.4.\(count)", "a binary of 256 KiB in fragments of \(count)") {
          let bytes = Sample.noise(256 << 10)
          return .sends(
            Wire.fragments(bytes, of: count, first: 0x02), delivers: [.binary(bytes)])
        },
        ConformanceCase("9.5.\(count)", "a text of 256 KiB in writes of \(count)") {
          let text = Sample.text(256 << 10)
          return .sends(Wire.text(text), delivers: [.text(text)]).inPieces(of: count)
        },
      ]
    }

  private static let many: [ConformanceCase] = [0, 16, 125, 126, 1024].flatMap { count in
    [
      ConformanceCase("9.7.\(count)", "500 texts of \(count)") {
        let texts = (0..<500).map { Sample.letters(count, seed: UInt64($0)) }
        return .sends(
          texts.flatMap { Wire.text($0) }, delivers: texts.map { .text($0) })
      },
      ConformanceCase("9.8.\(count)", "500 binaries of \(count)") {
        let messages = (0..<500).map { Sample.noise(count, seed: UInt64($0)) }
        return .sends(
          messages.flatMap { Wire.binary($0) }, delivers: messages.map { .binary($0) })
      },
    ]
  }

  private static let limits: [ConformanceCase] = [
    ConformanceCase("9.9.1", "a text of the limit", eventBytesMax: 1000) {
      let text = Sample.text(1000)
      return .sends(Wire.text(text), delivers: [.text(text)])
    },
    ConformanceCase("9.9.2", "a text of one more", eventBytesMax: 1000) {
      .sends(Wire.text(Sample.text(1001)), end: .failed(1009))
    },
    ConformanceCase("9.9.3", "a head that says one more", eventBytesMax: 1000) {
      .sends([0x81, 126, 0x03, 0xE9], end: .failed(1009))
    },
    ConformanceCase("9.9.4", "fragments of the limit together", eventBytesMax: 1000) {
      let text = Sample.text(1000)
      return .sends(Wire.fragments(text, of: 300), delivers: [.text(text)])
    },
    ConformanceCase("9.9.5", "fragments of one more", eventBytesMax: 1000) {
      .sends(Wire.fragments(Sample.text(1001), of: 300), end: .failed(1009))
    },
    ConformanceCase("9.9.6", "a head that says 2^62", eventBytesMax: 1000) {
      .sends([0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0], end: .failed(1009))
    },
    ConformanceCase("9.9.7", "the limit, and again", eventBytesMax: 1000) {
      let text = Sample.text(1000)
      return .sends(
        Wire.fragments(text, of: 999), Wire.text(text), delivers: [.text(text), .text(text)])
    },
    ConformanceCase("9.9.8", "fragments of nothing after the limit", eventBytesMax: 1000) {
      let bytes = Sample.noise(1000)
      return .sends(
        Wire.binary(bytes, fin: false), Wire.more([], fin: false), Wire.more([], fin: true),
        delivers: [.binary(bytes)])
    },
  ]
}
