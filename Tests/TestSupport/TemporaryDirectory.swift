import Foundation
import Glibc

/// A directory of the test's own, short enough for Unix sockets in it, gone with the value.
package final class TemporaryDirectory: Sendable {
  package let path: String

  /// - Throws: `TestFailure` if it cannot be made.
  package init() throws {
    var template = Array("/tmp/hotline-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw TestFailure("no temporary directory") }
    path = String(cString: made)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, with its mode from the start, and returns its path.
  @discardableResult
  package func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
    try write(name, Array(text.utf8), mode: mode)
  }

  @discardableResult
  package func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws -> String {
    let path = self(name)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw TestFailure("cannot write \(path)") }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done)
      }
      guard count > 0 else { throw TestFailure("cannot write \(path)") }
      done += count
    }
    fchmod(descriptor, mode)
    return path
  }

  /// What is in it, in alphabetical order.
  package func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }
}
