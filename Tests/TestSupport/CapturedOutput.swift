import Foundation

/// What a process has written to one of its descriptors so far.
///
/// Any thread; a thread of its own reads until the end.
package final class CapturedOutput: @unchecked Sendable {
  // Guarded by `condition`.
  private var bytes: [UInt8] = []
  private var hasEnded = false
  private let condition = NSCondition()
  private let name: String

  /// - Parameter descriptor: taken over.
  init(_ name: String, descriptor: Int32) {
    self.name = name
    Thread.detachNewThread { [self] in
      var buffer = [UInt8](repeating: 0, count: 1 << 18)
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        condition.lock()
        if count > 0 { bytes += buffer[..<count] } else { hasEnded = true }
        condition.broadcast()
        condition.unlock()
        if count <= 0 { break }
      }
      close(descriptor)
    }
  }

  /// Everything written so far.
  package var text: String { String(decoding: data, as: UTF8.self) }

  package var data: [UInt8] {
    condition.withLock { bytes }
  }

  /// Waits until what was written satisfies `condition`.
  ///
  /// - Throws: `TestFailure`, with the output's end, at the end of time or of the output.
  @discardableResult
  package func wait<Result>(
    for what: String, within duration: Duration = Deadline.usual,
    _ find: ([UInt8]) throws -> Result?
  ) throws -> Result {
    let deadline = Date(timeIntervalSinceNow: duration / .seconds(1))
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let result = try find(bytes) { return result }
      if hasEnded || !condition.wait(until: deadline) {
        let end = hasEnded ? "\(name) ended" : "waited \(duration)"
        let tail = String(decoding: bytes.suffix(2000), as: UTF8.self)
        throw TestFailure("\(end) without \(what); \(name) so far: \(tail)")
      }
    }
  }

  /// Waits for a text and returns the line that it stands in.
  @discardableResult
  package func waitForLine(
    containing text: String, within duration: Duration = Deadline.usual
  ) throws -> String {
    try wait(for: "a line with \(text)", within: duration) { bytes in
      String(decoding: bytes, as: UTF8.self).split(
        separator: "\n", omittingEmptySubsequences: false
      )
      .dropLast().first { $0.contains(text) }.map(String.init)
    }
  }

  /// Waits until the other end has closed it, and returns all of it.
  package func waitForEnd(within duration: Duration = Deadline.usual) throws -> [UInt8] {
    let deadline = Date(timeIntervalSinceNow: duration / .seconds(1))
    condition.lock()
    defer { condition.unlock() }
    while !hasEnded {
      guard condition.wait(until: deadline) else {
        let tail = String(decoding: bytes.suffix(2000), as: UTF8.self)
        throw TestFailure("waited \(duration) for the end of \(name); so far: \(tail)")
      }
    }
    return bytes
  }

  /// The complete lines written so far.
  package var lines: [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }
}
