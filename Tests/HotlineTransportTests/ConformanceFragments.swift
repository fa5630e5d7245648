import TestSupport

@testable import HotlineTransport

/// Category 5: fragments and what may stand between them.
extension ConformanceCase {
  static let fragmentation: [ConformanceCase] = whole + broken

  /// Each in one write, frame by frame and byte by byte.
  private static func cut(
    _ id: String, _ summary: String, _ frames: [[UInt8]], delivers: [Message],
    pongs: [[UInt8]] = [], end: End = .open
  ) -> [ConformanceCase] {
    let script = Script(
      steps: [.send(frames.flatMap(\.self))], delivered: delivers, pongs: pongs, end: end)
    return [
      ConformanceCase("\(id).1", "\(summary), in one write") { script },
      ConformanceCase("\(id).2", "\(summary), frame by frame") {
        var script = script
        script.steps = frames.map { .send($0) }
        return script
      },
      ConformanceCase("\(id).3", "\(summary), byte by byte") { script.inPieces(of: 1) },
    ]
  }

  private static let whole: [ConformanceCase] =
    cut(
      "5.1", "a text in two fragments",
      [Wire.text("fragment1", fin: false), Wire.more("fragment2", fin: true)],
      delivers: [.text("fragment1fragment2")])
    + cut(
      "5.2", "a ping between two fragments",
      [Wire.text("a", fin: false), Wire.ping([7]), Wire.more("b", fin: true)],
      delivers: [.text("ab")], pongs: [[7]])
    + cut(
      "5.3", "pings between five fragments",
      [
        Wire.text("a", fin: false), Wire.ping([1]), Wire.more("b", fin: false), Wire.ping([2]),
        Wire.more("c", fin: false), Wire.pong([9]), Wire.more("d", fin: false), Wire.ping([3]),
        Wire.more("e", fin: true),
      ], delivers: [.text("abcde")], pongs: [[1], [2], [3]])
    + cut(
      "5.4", "empty fragments",
      [Wire.text("", fin: false), Wire.more("", fin: false), Wire.more("", fin: true)],
      delivers: [.text("")])
    + cut(
      "5.5", "empty fragments around one that is not",
      [Wire.text("", fin: false), Wire.more("x", fin: false), Wire.more("", fin: true)],
      delivers: [.text("x")])
    + cut(
      "5.6", "a binary in three fragments",
      [Wire.binary([0xFF], fin: false), Wire.more([0xFE], fin: false), Wire.more([0], fin: true)],
      delivers: [.binary([0xFF, 0xFE, 0])])
    + cut(
      "5.7", "two fragmented messages after each other",
      [
        Wire.text("a", fin: false), Wire.more("b", fin: true), Wire.binary([1], fin: false),
        Wire.more([2], fin: true), Wire.text("c"),
      ], delivers: [.text("ab"), .binary([1, 2]), .text("c")])
    + cut(
      "5.8", "characters cut by fragments",
      [
        Wire.text([0xE2], fin: false), Wire.more([0x82, 0xAC, 0xF0], fin: false), Wire.ping(),
        Wire.more([0x9F, 0x98], fin: false), Wire.more([0x80], fin: true),
      ], delivers: [.text("€😀")], pongs: [[]])

  private static let broken: [ConformanceCase] =
    cut(
      "5.11", "a ping in two fragments",
      [RawFrame.bytes(0x09, [1]), RawFrame.bytes(0x80, [2])], delivers: [], end: .failed(1002))
    + cut(
      "5.12", "a pong in two fragments",
      [RawFrame.bytes(0x0A, [1]), RawFrame.bytes(0x80, [2])], delivers: [], end: .failed(1002))
    + cut(
      "5.13", "a final continuation of nothing", [Wire.more("a", fin: true)], delivers: [],
      end: .failed(1002))
    + cut(
      "5.14", "a continuation of nothing", [Wire.more("a", fin: false)], delivers: [],
      end: .failed(1002))
    + cut(
      "5.15", "a continuation after a message's end",
      [
        Wire.text("a", fin: false), Wire.more("b", fin: true), Wire.more("c", fin: false),
      ], delivers: [.text("ab")], end: .failed(1002))
    + cut(
      "5.16", "a text inside a text", [Wire.text("a", fin: false), Wire.text("b")], delivers: [],
      end: .failed(1002))
    + cut(
      "5.17", "a binary inside a text", [Wire.text("a", fin: false), Wire.binary([1], fin: false)],
      delivers: [], end: .failed(1002))
    + cut(
      "5.18", "a text inside a text, after a ping",
      [Wire.text("a", fin: false), Wire.ping([5]), Wire.text("b", fin: false)], delivers: [],
      pongs: [[5]], end: .failed(1002))
}
