import TestSupport
import Testing

@testable import HotlineTransport

/// One conversation: what the server sends, byte for byte, and what the client must make of it.
///
/// Numbered like the categories of the Autobahn test suite, which tests the same things.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
  enum Step: Sendable {
    case send([UInt8])
    /// One write to the socket for each piece.
    case sendInPieces([UInt8], of: Int)
  }

  enum Message: Equatable, Sendable {
    case text([UInt8])
    case binary([UInt8])
  }

  enum End: Equatable, Sendable {
    /// The connection is still in order: the server closes with 1000, and so does the client.
    case open
    /// The client has answered the server's close frame with this code; 1005 is an empty answer.
    case closed(UInt16)
    /// The client has failed the connection with this code.
    case failed(UInt16)
  }

  struct Script: Sendable {
    var steps: [Step] = []
    /// What the client must deliver; it sends each text back.
    var delivered: [Message] = []
    /// Payloads of the pongs that must come, in order.
    var pongs: [[UInt8]] = []
    var end = End.open
  }

  let id: String
  let summary: String
  /// What the server answers to the offer of extensions.
  var extensions: String?
  var eventBytesMax = 64 << 20
  /// Large payloads are made when they are needed.
  let script: @Sendable () -> Script

  var testDescription: String { "\(id): \(summary)" }

  init(
    _ id: String, _ summary: String, extensions: String? = nil, eventBytesMax: Int = 64 << 20,
    _ script: @escaping @Sendable () -> Script
  ) {
    self.id = id
    self.summary = summary
    self.extensions = extensions
    self.eventBytesMax = eventBytesMax
    self.script = script
  }

  static let all: [ConformanceCase] =
    framing + pings + reservedBits + reservedOpcodes + fragmentation + utf8 + closing + sizes
    + deflate
}

/// Frames as a server writes them.
enum Wire {
  static func text(_ payload: [UInt8], fin: Bool = true) -> [UInt8] {
    RawFrame.bytes(fin ? 0x81 : 0x01, payload)
  }
  static func text(_ payload: String, fin: Bool = true) -> [UInt8] {
    text(Array(payload.utf8), fin: fin)
  }
  static func binary(_ payload: [UInt8], fin: Bool = true) -> [UInt8] {
    RawFrame.bytes(fin ? 0x82 : 0x02, payload)
  }
  static func more(_ payload: [UInt8], fin: Bool) -> [UInt8] {
    RawFrame.bytes(fin ? 0x80 : 0x00, payload)
  }
  static func more(_ payload: String, fin: Bool) -> [UInt8] {
    more(Array(payload.utf8), fin: fin)
  }
  static func ping(_ payload: [UInt8] = []) -> [UInt8] { RawFrame.bytes(0x89, payload) }
  static func pong(_ payload: [UInt8] = []) -> [UInt8] { RawFrame.bytes(0x8A, payload) }
  static func close(_ code: Int, _ reason: [UInt8] = []) -> [UInt8] {
    RawFrame.bytes(0x88, [UInt8(code >> 8), UInt8(code & 255)] + reason)
  }

  /// A message in fragments of so many bytes, the last one final.
  static func fragments(_ payload: [UInt8], of count: Int, first: UInt8 = 0x01) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(payload.count + payload.count / count * 4 + 16)
    for start in stride(from: 0, to: max(payload.count, 1), by: count) {
      let end = min(start + count, payload.count)
      let opcode: UInt8 = start == 0 ? first : 0
      bytes += RawFrame.bytes(
        end == payload.count ? 0x80 | opcode : opcode, Array(payload[start..<end]))
    }
    return bytes
  }
}

/// Payloads.
enum Sample {
  /// So many bytes of text with characters of every length, whole ones.
  static func text(_ count: Int) -> [UInt8] {
    let block = Array("The quick brown fox: \"délta\" — 日本語 😀 {\"type\":\"x\"}\n".utf8)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    while bytes.count + block.count <= count { bytes += block }
    return bytes + [UInt8](repeating: 0x2A, count: count - bytes.count)
  }

  /// Bytes that nothing compresses.
  static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
      withUnsafeBytes(of: random.next()) { bytes += $0 }
    }
    return Array(bytes.prefix(count))
  }

  /// Letters at random.
  static func letters(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    noise(count, seed: seed).map { 0x61 + $0 % 26 }
  }
}

extension ConformanceCase.Script {
  /// Everything in one write.
  static func sends(
    _ bytes: [UInt8]..., delivers: [ConformanceCase.Message] = [], pongs: [[UInt8]] = [],
    end: ConformanceCase.End = .open
  ) -> Self {
    Self(steps: [.send(bytes.flatMap(\.self))], delivered: delivers, pongs: pongs, end: end)
  }

  /// The same in writes of `count` bytes.
  func inPieces(of count: Int) -> Self {
    var script = self
    script.steps = steps.map { step in
      switch step {
      case .send(let bytes), .sendInPieces(let bytes, _): .sendInPieces(bytes, of: count)
      }
    }
    return script
  }
}

extension ConformanceCase.Message {
  static func text(_ text: String) -> Self { .text(Array(text.utf8)) }
}
