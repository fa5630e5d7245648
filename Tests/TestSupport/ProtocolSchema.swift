import Foundation
import Testing

/// The lines of the local protocol, as `Packaging/hotline-protocol.schema.json` has them.
///
/// Whatever the daemon or a client writes in a test is held against it. Any thread.
package enum ProtocolSchema {
  package enum Side: String, Sendable { case client, daemon }

  package static let path = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Packaging/hotline-protocol.schema.json").path

  package static let schema: JSONSchema = {
    do { return try JSONSchema(readingFrom: path) } catch { preconditionFailure("\(error)") }
  }()

  /// Why an error of the daemon does not tell enough, nil if it does: a message says what happened,
  /// and then, behind a semicolon or by naming what there is, what to do.
  static func complaint(about line: JSON) -> String? {
    guard line.type.string == "error", line.hotline != .missing,
      let message = line.error.message.string,
      !["; ", " takes ", "known: "].contains(where: message.contains)
    else { return nil }
    return "the daemon does not say what to do about an error"
  }

  /// Why one side does not say such a line, nil if it may.
  package static func misfit(_ line: JSON, from side: Side) -> String? {
    // Of what it does not know a client may send the server anything.
    let misfit = schema.misfit(
      of: line, to: "\(side)Line", isClosed: side == .daemon)
    return misfit.map {
      "the \(side) wrote a line that Packaging/hotline-protocol.schema.json does not allow: \($0)"
    }
  }
}

/// Judges a stream of lines, and makes each misfit an issue of the test run.
package struct LineChecker: Sendable {
  private let side: ProtocolSchema.Side
  private let report: @Sendable (String) -> Void
  private var partial: [UInt8] = []

  package init(
    _ side: ProtocolSchema.Side,
    report: @escaping @Sendable (String) -> Void = { Issue.record("\($0)") }
  ) {
    self.side = side
    self.report = report
  }

  package mutating func feed(_ bytes: some Collection<UInt8>) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
      partial += rest[..<end]
      rest = rest[rest.index(after: end)...]
      check(partial)
      partial.removeAll()
    }
    partial += rest
  }

  /// Judges one line; a blank one is none.
  package func check(_ line: [UInt8]) {
    guard line.contains(where: { $0 > 0x20 }) else { return }
    let misfit: String?
    do {
      let json = try JSON(parsing: line)
      misfit =
        ProtocolSchema.misfit(json, from: side)
        ?? (side == .daemon ? ProtocolSchema.complaint(about: json) : nil)
    } catch {
      misfit = "the \(side) wrote a line that is no JSON"
    }
    guard let misfit else { return }
    report("\(misfit); the line: \(String(decoding: line.prefix(600), as: UTF8.self))")
  }
}
