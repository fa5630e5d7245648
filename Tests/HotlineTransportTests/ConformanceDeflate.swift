import TestSupport

@testable import HotlineTransport

/// Categories 12 and 13: compression, with each way to agree on it, and what breaks it.
extension ConformanceCase {
  static let deflate: [ConformanceCase] = contents + agreements + mixed + brokenDeflate

  private static let plain = "permessage-deflate"

  /// So many messages, each in one compressed frame.
  private static func messages(
    _ id: String, _ summary: String, extensions: String = plain, windowBits: Int = 15,
    isAnew: Bool = false, _ contents: @escaping @Sendable () -> [[UInt8]]
  ) -> ConformanceCase {
    ConformanceCase(id, summary, extensions: extensions) {
      let deflate = RawDeflate(windowBits: windowBits)
      let texts = contents()
      let frames = texts.flatMap { RawFrame.bytes(0xC1, deflate.compress($0, isAnew: isAnew)) }
      return .sends(frames, delivers: texts.map { .text($0) })
    }
  }

  private static let contents: [ConformanceCase] = [
    0, 1, 16, 63, 64, 256, 1024, 4096, 16_384, 65_536, 131_072,
  ].flatMap { count in
    [
      messages("12.1.\(count)", "10 equal texts of \(count)") {
        [[UInt8]](repeating: Sample.text(count), count: 10)
      },
      messages("12.2.\(count)", "10 texts of \(count) that hardly compress") {
        (0..<10).map { Sample.letters(count, seed: $0) }
      },
      ConformanceCase("12.3.\(count)", "a compressed binary of \(count)", extensions: plain) {
        let bytes = Sample.noise(count)
        return .sends(
          RawFrame.bytes(0xC2, RawDeflate().compress(bytes)), delivers: [.binary(bytes)])
      },
      ConformanceCase("12.4.\(count)", "a text of \(count) in fragments", extensions: plain) {
        let text = Sample.text(count)
        let payload = RawDeflate().compress(text)
        return .sends(Wire.fragments(payload, of: 7, first: 0x41), delivers: [.text(text)])
      },
      ConformanceCase("12.5.\(count)", "a text of \(count), byte by byte", extensions: plain) {
        let text = Sample.text(count)
        return .sends(RawFrame.bytes(0xC1, RawDeflate().compress(text)), delivers: [.text(text)])
          .inPieces(of: 1)
      },
    ]
  }

  private static let agreements: [ConformanceCase] = [
    ("server_no_context_takeover", 15, true), ("client_no_context_takeover", 15, false),
    ("server_no_context_takeover; client_no_context_takeover", 15, true),
    ("client_max_window_bits=8", 15, false), ("client_max_window_bits=9", 15, false),
    ("client_max_window_bits=10", 15, false), ("client_max_window_bits=12", 15, false),
    ("client_max_window_bits=15", 15, false), ("server_max_window_bits=8", 9, false),
    ("server_max_window_bits=9", 9, false), ("server_max_window_bits=11", 11, false),
    ("server_max_window_bits=\"15\"", 15, false),
    ("server_max_window_bits=10; client_max_window_bits=10; client_no_context_takeover", 10, false),
    ("client_max_window_bits=9; server_no_context_takeover; server_max_window_bits=9", 9, true),
  ].enumerated().flatMap { (index, agreed: (String, Int, Bool)) in
    [10, 100, 5000, 100_000].map { count in
      messages(
        "13.\(index + 1).\(count)", "\(agreed.0), texts of \(count)",
        extensions: "\(plain); \(agreed.0)", windowBits: agreed.1, isAnew: agreed.2
      ) {
        let text = Sample.letters(count / 2, seed: 9)
        return [text + text, text, Sample.text(count), text + text]
      }
    }
  }

  private static let mixed: [ConformanceCase] = [
    ConformanceCase("13.21.1", "compressed and plain texts mixed", extensions: plain) {
      let deflate = RawDeflate()
      let text = Sample.text(500)
      let compressed = { RawFrame.bytes(0xC1, deflate.compress(text)) }
      return .sends(
        compressed(), Wire.text("plain"), compressed(), Wire.fragments(text, of: 100),
        compressed(),
        delivers: [.text(text), .text("plain"), .text(text), .text(text), .text(text)])
    },
    ConformanceCase("13.21.2", "pings between compressed fragments", extensions: plain) {
      let text = Sample.text(500)
      let payload = RawDeflate().compress(text)
      return .sends(
        RawFrame.bytes(0x41, Array(payload[..<9])), Wire.ping([1]),
        Wire.more(Array(payload[9..<10]), fin: false), Wire.more([], fin: false), Wire.ping([2]),
        Wire.more(Array(payload[10...]), fin: true), delivers: [.text(text)], pongs: [[1], [2]])
    },
    ConformanceCase("13.21.3", "an empty final fragment", extensions: plain) {
      let text = Sample.text(500)
      return .sends(
        RawFrame.bytes(0x41, RawDeflate().compress(text)), Wire.more([], fin: true),
        delivers: [.text(text)])
    },
    ConformanceCase("13.21.4", "the standard's examples", extensions: plain) {
      // RFC 7692, 7.2.3.1, 7.2.3.2 (the window of the first), 7.2.3.3 and 7.2.3.4.
      .sends(
        RawFrame.bytes(0xC1, [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]),
        RawFrame.bytes(0xC1, [0xF2, 0x00, 0x11, 0x00, 0x00]),
        RawFrame.bytes(0xC1, [0, 5, 0, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0]),
        RawFrame.bytes(0xC1, [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]),
        RawFrame.bytes(0x41, [0xF2, 0x48, 0xCD]), Wire.more([0xC9, 0xC9, 0x07, 0x00], fin: true),
        delivers: [ConformanceCase.Message](repeating: .text("Hello"), count: 5))
    },
    ConformanceCase("13.21.5", "streams that were closed, not flushed", extensions: plain) {
      let deflate = RawDeflate()
      let text = Sample.text(3000)
      let frame = { RawFrame.bytes(0xC1, deflate.compressClosing(text)) }
      return .sends(frame(), frame(), delivers: [.text(text), .text(text)])
    },
    ConformanceCase("13.21.6", "fields and elements that say nothing", extensions: ", ,") {
      .sends(Wire.text("a"), delivers: [.text("a")])
    },
    ConformanceCase(
      "13.21.7", "a compressed text of the limit", extensions: plain, eventBytesMax: 5000
    ) {
      let text = Sample.text(5000)
      return .sends(RawFrame.bytes(0xC1, RawDeflate().compress(text)), delivers: [.text(text)])
    },
    ConformanceCase(
      "13.21.8", "noise of the limit, longer when compressed", extensions: plain,
      eventBytesMax: 5000
    ) {
      let bytes = Sample.noise(5000)
      return .sends(RawFrame.bytes(0xC2, RawDeflate().compress(bytes)), delivers: [.binary(bytes)])
    },
  ]

  private static func broken(
    _ number: Int, _ summary: String, eventBytesMax: Int = 64 << 20, code: UInt16,
    _ bytes: @escaping @Sendable () -> [UInt8]
  ) -> ConformanceCase {
    ConformanceCase(
      "13.22.\(number)", summary, extensions: plain, eventBytesMax: eventBytesMax
    ) { .sends(bytes(), end: .failed(code)) }
  }

  private static let brokenDeflate: [ConformanceCase] = [
    broken(1, "a continuation that says it is compressed", code: 1002) {
      RawFrame.bytes(0x41, [0xF2]) + RawFrame.bytes(0xC0, [0x48])
    },
    broken(2, "a ping that says it is compressed", code: 1002) { RawFrame.bytes(0xC9, []) },
    broken(3, "a close that says it is compressed", code: 1002) {
      RawFrame.bytes(0xC8, [3, 0xE8])
    },
    broken(4, "another reserved bit", code: 1002) { RawFrame.bytes(0xE1, [0x00]) },
    broken(5, "a text inside a compressed one", code: 1002) {
      RawFrame.bytes(0x41, [0xF2, 0x48]) + RawFrame.bytes(0xC1, [0x00])
    },
    broken(6, "a block of a type that there is not", code: 1007) { RawFrame.bytes(0xC1, [0x06]) },
    broken(7, "a stored block whose lengths differ", code: 1007) {
      RawFrame.bytes(0xC1, [0x00, 0x05, 0x00, 0x00, 0x00])
    },
    broken(8, "a reference to before the beginning", code: 1007) {
      RawFrame.bytes(0xC1, [0xF2, 0x00, 0x11, 0x00, 0x00])
    },
    broken(9, "a message cut inside a block", code: 1007) {
      RawFrame.bytes(0xC1, Array(RawDeflate().compress(Sample.text(500)).prefix(40)))
    },
    broken(10, "a compressed message of no byte", code: 1007) { RawFrame.bytes(0xC1, []) },
    broken(11, "text that is not UTF-8 when inflated", code: 1007) {
      RawFrame.bytes(0xC1, RawDeflate().compress([0x61, 0xFF, 0x62]))
    },
    broken(12, "text that ends inside a character when inflated", code: 1007) {
      RawFrame.bytes(0xC1, RawDeflate().compress([0x61, 0xE2, 0x82]))
    },
    broken(13, "a first fragment that is not UTF-8 when inflated", code: 1007) {
      RawFrame.bytes(0x41, RawDeflate().compress([0x61, 0xFF, 0x62]))
    },
    broken(14, "a frame cut after what is not UTF-8 when inflated", code: 1007) {
      [0xC1, 100] + RawDeflate().compress([0x61, 0xFF, 0x62])
    },
    broken(15, "one byte more than the limit", eventBytesMax: 5000, code: 1009) {
      RawFrame.bytes(0xC1, RawDeflate().compress(Sample.text(5001)))
    },
    broken(16, "fragments of one byte more together", eventBytesMax: 5000, code: 1009) {
      Wire.fragments(RawDeflate().compress(Sample.text(5001)), of: 20, first: 0x41)
    },
    broken(17, "8 MiB from 8 KiB against a limit of 64 KiB", eventBytesMax: 64 << 10, code: 1009) {
      let bomb = [UInt8](repeating: 0x61, count: 8 << 20)
      // Its beginning is enough.
      return Array(RawFrame.bytes(0xC1, RawDeflate(level: 9).compress(bomb)).prefix(1000))
    },
  ]
}
