import TestSupport

@testable import HotlineTransport

/// Category 7: the close handshake.
extension ConformanceCase {
  static let closing: [ConformanceCase] = handshakes + payloads + validCodes + invalidCodes

  private static let handshakes: [ConformanceCase] = [
    ConformanceCase("7.1.1", "a text, then close") {
      .sends(Wire.text("a"), Wire.close(1000), delivers: [.text("a")], end: .closed(1000))
    },
    ConformanceCase("7.1.2", "two close frames") {
      .sends(Wire.close(1000), Wire.close(1001), end: .closed(1000))
    },
    ConformanceCase("7.1.3", "a ping after close is not answered") {
      .sends(Wire.close(1000), Wire.ping(), end: .closed(1000))
    },
    ConformanceCase("7.1.4", "a text after close is not delivered") {
      .sends(Wire.close(1000), Wire.text("a"), end: .closed(1000))
    },
    ConformanceCase("7.1.5", "close inside a fragmented text") {
      .sends(Wire.text("a", fin: false), Wire.close(1000), end: .closed(1000))
    },
    ConformanceCase("7.1.6", "a large text, then close") {
      let text = Sample.text(256 << 10)
      return .sends(
        Wire.text(text), Wire.close(1000), delivers: [.text(text)], end: .closed(1000))
    },
    ConformanceCase("7.1.7", "close and what breaks the protocol") {
      .sends(Wire.close(1000), [0xFF, 0xFF], end: .closed(1000))
    },
    ConformanceCase("7.1.8", "a ping, then close") {
      .sends(Wire.ping([1]), Wire.close(1001), pongs: [[1]], end: .closed(1001))
    },
  ]

  private static let payloads: [ConformanceCase] = [
    ConformanceCase("7.3.1", "an empty close") {
      .sends(RawFrame.bytes(0x88, []), end: .closed(1005))
    },
    ConformanceCase("7.3.2", "a close of one byte") {
      .sends(RawFrame.bytes(0x88, [3]), end: .failed(1002))
    },
    ConformanceCase("7.3.3", "a close with a code") {
      .sends(Wire.close(1000), end: .closed(1000))
    },
    ConformanceCase("7.3.4", "a close with a reason") {
      .sends(Wire.close(1000, Array("Hello, world!".utf8)), end: .closed(1000))
    },
    ConformanceCase("7.3.5", "the longest reason") {
      .sends(Wire.close(1000, Sample.letters(123)), end: .closed(1000))
    },
    ConformanceCase("7.3.6", "a reason that is too long") {
      .sends(Wire.close(1000, Sample.letters(124)), end: .failed(1002))
    },
    ConformanceCase("7.3.7", "the longest reason, byte by byte") {
      .sends(Wire.close(1000, Sample.letters(123)), end: .closed(1000)).inPieces(of: 1)
    },
    ConformanceCase("7.5.1", "a reason that is not UTF-8") {
      .sends(Wire.close(1000, Array("κόσμε".utf8) + [0xED, 0xA0, 0x80]), end: .failed(1007))
    },
    ConformanceCase("7.5.2", "a reason that ends inside a character") {
      .sends(Wire.close(1000, [0xE2, 0x82]), end: .failed(1007))
    },
    ConformanceCase("7.5.3", "a reason of other scripts") {
      .sends(Wire.close(4001, Array("日本語 😀".utf8)), end: .closed(4001))
    },
  ]

  private static let validCodes: [ConformanceCase] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ].map { code in
    ConformanceCase("7.7.\(code)", "close with \(code)") {
      .sends(Wire.close(code), end: .closed(UInt16(code)))
    }
  }

  private static let invalidCodes: [ConformanceCase] = [
    0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
  ].map { code in
    ConformanceCase("7.9.\(code)", "close with \(code)") {
      .sends(Wire.close(code, Array("x".utf8)), end: .failed(1002))
    }
  }
}
