import TestSupport

@testable import HotlineTransport

/// Categories 1 to 4: framing, pings and pongs, reserved bits, opcodes.
extension ConformanceCase {
  static let framing: [ConformanceCase] =
    [0, 1, 125, 126, 127, 128, 65_535, 65_536].enumerated().flatMap { index, count in
      [
        ConformanceCase("1.1.\(index + 1)", "text of \(count)") {
          let text = Sample.text(count)
          return .sends(Wire.text(text), delivers: [.text(text)])
        },
        ConformanceCase("1.2.\(index + 1)", "binary of \(count)") {
          let bytes = Sample.noise(count)
          return .sends(Wire.binary(bytes), delivers: [.binary(bytes)])
        },
        ConformanceCase("1.3.\(index + 1)", "text of \(count) in writes of 997") {
          let text = Sample.text(count)
          return .sends(Wire.text(text), delivers: [.text(text)]).inPieces(of: 997)
        },
      ]
    } + malformed

  private static let malformed: [ConformanceCase] = [
    ("a length of 125 in 16 bits", [0x81, 126, 0, 125]),
    ("a length of 0 in 16 bits", [0x81, 126, 0, 0]),
    ("a length of 65535 in 64 bits", [0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255]),
    ("a length with its top bit set", [0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0]),
    ("a masked text", [0x81, 0x81, 1, 2, 3, 4, 0x60]),
    ("a masked empty binary", [0x82, 0x80, 1, 2, 3, 4]),
    ("a masked ping", [0x89, 0x80, 0, 0, 0, 0]),
    ("a masked close", [0x88, 0x82, 0, 0, 0, 0, 3, 0xE8]),
  ].enumerated().flatMap { (index, fault: (String, [UInt8])) in
    [
      ConformanceCase("1.4.\(index + 1)", fault.0) { .sends(fault.1, end: .failed(1002)) },
      ConformanceCase("1.5.\(index + 1)", "\(fault.0), byte by byte, after a text") {
        Script(
          steps: [.send(Wire.text("first")), .sendInPieces(fault.1, of: 1)],
          delivered: [.text("first")], end: .failed(1002))
      },
    ]
  }

  static let pings: [ConformanceCase] = {
    let hello = Array("Hello, world!".utf8)
    let bytes: [UInt8] = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF]
    let longest = Sample.noise(125)
    let ten = (0..<10).map { [UInt8]("payload \($0)".utf8) }
    return [
      ConformanceCase("2.1", "an empty ping") { .sends(Wire.ping(), pongs: [[]]) },
      ConformanceCase("2.2", "a ping of text") { .sends(Wire.ping(hello), pongs: [hello]) },
      ConformanceCase("2.3", "a ping of bytes") { .sends(Wire.ping(bytes), pongs: [bytes]) },
      ConformanceCase("2.4", "a ping of 125") { .sends(Wire.ping(longest), pongs: [longest]) },
      ConformanceCase("2.5", "a ping of 126") {
        .sends(RawFrame.bytes(0x89, Sample.noise(126)), end: .failed(1002))
      },
      ConformanceCase("2.6", "a ping of 125, byte by byte") {
        .sends(Wire.ping(longest), pongs: [longest]).inPieces(of: 1)
      },
      ConformanceCase("2.7", "an empty pong that nobody asked for") { .sends(Wire.pong()) },
      ConformanceCase("2.8", "a pong that nobody asked for") { .sends(Wire.pong(hello)) },
      ConformanceCase("2.9", "such a pong, then a ping") {
        .sends(Wire.pong(hello), Wire.ping(bytes), pongs: [bytes])
      },
      ConformanceCase("2.10", "ten pings at once") {
        .sends(ten.flatMap { Wire.ping($0) }, pongs: ten)
      },
      ConformanceCase("2.11", "ten pings, byte by byte") {
        .sends(ten.flatMap { Wire.ping($0) }, pongs: ten).inPieces(of: 1)
      },
      ConformanceCase("2.12", "a pong of 126") {
        .sends(RawFrame.bytes(0x8A, Sample.noise(126)), end: .failed(1002))
      },
      ConformanceCase("2.13", "a ping, a text, a ping") {
        .sends(
          Wire.ping([1]), Wire.text("a"), Wire.ping([2]), delivers: [.text("a")],
          pongs: [[1], [2]])
      },
    ]
  }()

  static let reservedBits: [ConformanceCase] = (1...7 as ClosedRange<UInt8>).flatMap { bits in
    [
      ConformanceCase("3.1.\(bits)", "reserved bits \(bits) on a text") {
        .sends(RawFrame.bytes(0x81 | bits << 4, [0x61]), end: .failed(1002))
      },
      ConformanceCase("3.2.\(bits)", "reserved bits \(bits) between texts") {
        .sends(
          Wire.text("a"), RawFrame.bytes(0x81 | bits << 4, [0x61]), Wire.ping(),
          delivers: [.text("a")], end: .failed(1002))
      },
      ConformanceCase("3.3.\(bits)", "reserved bits \(bits) on a ping, byte by byte") {
        .sends(RawFrame.bytes(0x89 | bits << 4, [0x61]), end: .failed(1002)).inPieces(of: 1)
      },
      ConformanceCase("3.4.\(bits)", "reserved bits \(bits) on a binary") {
        .sends(RawFrame.bytes(0x82 | bits << 4, [0x61]), end: .failed(1002))
      },
      ConformanceCase("3.5.\(bits)", "reserved bits \(bits) on a close") {
        .sends(RawFrame.bytes(0x88 | bits << 4, [3, 0xE8]), end: .failed(1002))
      },
      ConformanceCase("3.6.\(bits)", "reserved bits \(bits) on a continuation") {
        .sends(
          Wire.text("a", fin: false), RawFrame.bytes(0x80 | bits << 4, [0x61]),
          end: .failed(1002))
      },
    ]
  }

  static let reservedOpcodes: [ConformanceCase] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap {
    (opcode: UInt8) in
    let group = opcode < 8 ? "4.1" : "4.2"
    return [
      ConformanceCase("\(group).\(opcode).1", "opcode \(opcode), empty") {
        .sends(RawFrame.bytes(0x80 | opcode, []), end: .failed(1002))
      },
      ConformanceCase("\(group).\(opcode).2", "opcode \(opcode) after a text") {
        .sends(
          Wire.text("a"), RawFrame.bytes(0x80 | opcode, [0x62]), Wire.ping(),
          delivers: [.text("a")], end: .failed(1002))
      },
      ConformanceCase("\(group).\(opcode).3", "opcode \(opcode) inside a fragmented text") {
        .sends(
          Wire.text("a", fin: false), RawFrame.bytes(opcode, [0x62]), end: .failed(1002)
        ).inPieces(of: 1)
      },
    ]
  }
}
