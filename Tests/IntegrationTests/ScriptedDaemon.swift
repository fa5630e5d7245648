import Foundation
import Glibc
import Synchronization
import TestSupport

/// A daemon of a few lines for one client: reads a request and answers it with a script,
/// in pieces of three bytes at most.
final class ScriptedDaemon: Sendable {
  let path: String
  private let received = Received()

  private final class Received: Sendable {
    let line = Mutex<JSON?>(nil)
  }

  /// - Parameter script: what is written; `$ID` in it is the request's id with its quotes.
  init(in directory: TemporaryDirectory, name: String, _ script: String) throws {
    let path = directory(name)
    self.path = path
    let listener = try UnixSocket.bind(path)
    _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
    guard listen(listener, 1) == 0 else { throw TestFailure("cannot listen on \(path)") }
    Thread.detachNewThread { [received] in
      let client = accept(listener, nil, nil)
      _ = fcntl(client, F_SETFD, FD_CLOEXEC)
      close(listener)
      if let line = Self.line(client) {
        received.line.withLock { $0 = line }
        // The daemon gives one to a request that has none.
        let id = line.request_id.string ?? "r1"
        Self.write(script.replacingOccurrences(of: "$ID", with: JSON.quoted(id)), to: client)
      }
      close(client)
    }
  }

  /// What it was asked, once it has been.
  var request: JSON? { received.line.withLock { $0 } }

  /// The first line, nil if there is none.
  private static func line(_ client: Int32) -> JSON? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(client, &byte, 1) == 1, byte != 0x0A { line.append(byte) }
    LineChecker(.client).check(line)
    return try? JSON(parsing: line)
  }

  private static func write(_ text: String, to client: Int32) {
    var rest = Array(text.utf8)[...]
    var size = 1
    while !rest.isEmpty {
      let piece = Array(rest.prefix(size))
      guard send(client, piece, piece.count, Int32(MSG_NOSIGNAL)) == piece.count else { return }
      rest = rest.dropFirst(size)
      size = size % 3 + 1
    }
  }
}
